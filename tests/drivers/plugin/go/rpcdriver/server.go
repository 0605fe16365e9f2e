// Package rpcdriver is the plugin's side of docker-machine's protocol, written anew on Go's standard library alone. The
// names of the package, of RPCFlags, of the services and of the methods are the protocol's
// (libmachine/drivers/rpc and libmachine/drivers/plugin in github.com/docker/machine).
package rpcdriver

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"time"

	"example.org/testplugin/mcnflag"
)

// Nothing is what a call takes or gives that takes or gives nothing.
type Nothing = struct{}

// Options is how a driver reads its flags; it crosses as an interface.
type Options interface {
	String(name string) string
	StringSlice(name string) []string
	Int(name string) int
	Bool(name string) bool
}

// RPCFlags is the concrete type in that interface.
type RPCFlags struct{ Values map[string]interface{} }

// String is the text of a flag.
func (f RPCFlags) String(name string) string { return f.Values[name].(string) }

// StringSlice is the list of a flag; nil when none was sent.
func (f RPCFlags) StringSlice(name string) []string { return f.Values[name].([]string) }

// Int is the number of a flag.
func (f RPCFlags) Int(name string) int { return f.Values[name].(int) }

// Bool is whether a flag is on.
func (f RPCFlags) Bool(name string) bool { return f.Values[name].(bool) }

func init() {
	for _, kind := range []interface{}{
		new(mcnflag.IntFlag), new(mcnflag.StringFlag), new(mcnflag.StringSliceFlag), new(mcnflag.BoolFlag),
	} {
		gob.Register(kind)
	}
}

// Driver is what a platform has to do.
type Driver interface {
	DriverName() string
	Flags() []mcnflag.Flag
	SetConfigFromFlags(Options) error
	Machine() string
	SSHHostname() (string, error)
	Port() (int, error)
	SSHUsername() string
	KeyPath() string
	IP() (string, error)
	URL() (string, error)
	State() (int, error)
	PreCreateCheck() error
	Create() error
	Remove() error
	Start() error
	Stop() error
	Restart() error
	Kill() error
}

// Server has the methods that may be called from outside.
type Server struct {
	driver Driver
	ended  chan int
	beats  chan Nothing
}

func (s *Server) GetVersion(_ *Nothing, reply *int) error    { *reply = 1; return nil }
func (s *Server) Heartbeat(_, _ *Nothing) error              { s.beats <- Nothing{}; return nil }
func (s *Server) Close(_, _ *Nothing) error                  { s.ended <- 0; return nil }
func (s *Server) SetConfigRaw(data []byte, _ *Nothing) error { return json.Unmarshal(data, s.driver) }
func (s *Server) DriverName(_ *Nothing, reply *string) error {
	*reply = s.driver.DriverName()
	return nil
}
func (s *Server) GetMachineName(_ *Nothing, reply *string) error {
	*reply = s.driver.Machine()
	return nil
}
func (s *Server) GetSSHKeyPath(_ *Nothing, reply *string) error {
	*reply = s.driver.KeyPath()
	return nil
}
func (s *Server) GetSSHUsername(_ *Nothing, reply *string) error {
	*reply = s.driver.SSHUsername()
	return nil
}
func (s *Server) PreCreateCheck(_, _ *Nothing) error { return s.driver.PreCreateCheck() }
func (s *Server) Remove(_, _ *Nothing) error         { return s.driver.Remove() }
func (s *Server) Start(_, _ *Nothing) error          { return s.driver.Start() }
func (s *Server) Stop(_, _ *Nothing) error           { return s.driver.Stop() }
func (s *Server) Restart(_, _ *Nothing) error        { return s.driver.Restart() }
func (s *Server) Kill(_, _ *Nothing) error           { return s.driver.Kill() }

func (s *Server) GetConfigRaw(_ *Nothing, reply *[]byte) (err error) {
	*reply, err = json.Marshal(s.driver)
	return err
}

func (s *Server) GetCreateFlags(_ *Nothing, reply *[]mcnflag.Flag) error {
	*reply = s.driver.Flags()
	return nil
}

func (s *Server) SetConfigFromFlags(flags *Options, _ *Nothing) error {
	return s.driver.SetConfigFromFlags(*flags)
}

func (s *Server) GetIP(_ *Nothing, reply *string) (err error) {
	*reply, err = s.driver.IP()
	return err
}

func (s *Server) GetSSHHostname(_ *Nothing, reply *string) (err error) {
	*reply, err = s.driver.SSHHostname()
	return err
}

func (s *Server) GetSSHPort(_ *Nothing, reply *int) (err error) {
	*reply, err = s.driver.Port()
	return err
}

func (s *Server) GetURL(_ *Nothing, reply *string) (err error) {
	*reply, err = s.driver.URL()
	return err
}

func (s *Server) GetState(_ *Nothing, reply *int) (err error) {
	*reply, err = s.driver.State()
	return err
}

func (s *Server) Create(_, _ *Nothing) (err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("panic in the driver: %v", what)
		}
	}()
	return s.driver.Create()
}

// Serve runs until it is closed or hears nothing for ten seconds. Before version 0.5.1 two names were others.
func Serve(driver Driver, old bool) {
	names, flags := []string{"RPCServerDriver", "RpcServerDriver"}, "*rpcdriver.RPCFlags"
	if old {
		names, flags = names[1:], "*rpcdriver.RpcFlags"
	}
	gob.RegisterName(flags, new(RPCFlags))
	if os.Getenv("MACHINE_PLUGIN_TOKEN") != "42" {
		fmt.Fprintln(os.Stderr, "This is a plugin; it is started by machine.")
		os.Exit(1)
	}
	server := &Server{driver, make(chan int), make(chan Nothing)}
	for _, name := range names {
		if err := rpc.RegisterName(name, server); err != nil {
			panic(err)
		}
	}
	rpc.HandleHTTP()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	go http.Serve(listener, nil)
	for {
		select {
		case status := <-server.ended:
			os.Exit(status)
		case <-server.beats:
		case <-time.After(10 * time.Second):
			os.Exit(1)
		}
	}
}
