// Package mcnflag has the four kinds of flags that a plugin can ask for. The names of the package, the types and their
// fields are part of the protocol (libmachine/mcnflag in github.com/docker/machine): gob sends them.
package mcnflag

// Flag is any of them.
type Flag interface{ Default() interface{} }

// StringFlag takes a text.
type StringFlag struct{ Name, Usage, EnvVar, Value string }

// IntFlag takes a whole number.
type IntFlag struct {
	Name, Usage, EnvVar string
	Value               int
}

// BoolFlag is off when it is not given.
type BoolFlag struct{ Name, Usage, EnvVar string }

// StringSliceFlag may be repeated.
type StringSliceFlag struct {
	Name, Usage, EnvVar string
	Value               []string
}

// Default is the value when nothing is given.
func (f StringFlag) Default() interface{} { return f.Value }

// Default is the value when nothing is given.
func (f IntFlag) Default() interface{} { return f.Value }

// Default is nil: there is none to choose.
func (f BoolFlag) Default() interface{} { return nil }

// Default is the value when nothing is given.
func (f StringSliceFlag) Default() interface{} { return f.Value }
