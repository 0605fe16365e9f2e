// gobs write: gob values of known content, one stream to standard output.
// gobs read: reads a stream of the same values from standard input and says what it found, one line a value.
package main

import (
	"encoding/gob"
	"fmt"
	"os"
	"time"

	"example.org/testplugin/mcnflag"
	"example.org/testplugin/rpcdriver"
)

// Everything has a field of each kind that a plugin may ever send.
type Everything struct {
	Yes      bool
	Small    int8
	Big      int64
	Unsigned uint64
	Number   float64
	Pair     complex128
	Text     string
	Raw      []byte
	Words    []string
	Grid     [2][3]int
	Table    map[string][]int
	Inner    struct{ A, B int }
	Missing  *struct{ A int }
	Any      interface{}
	Many     map[string]interface{}
	When     time.Time
	Last     string
}

func everything() Everything {
	e := Everything{
		Yes: true, Small: -128, Big: -1 << 63, Unsigned: 1<<64 - 1, Number: -2.5, Pair: complex(1, -3),
		Text: "h\u00e9", Raw: []byte{0, 255}, Words: []string{"", "two"}, Grid: [2][3]int{{1, 2, 3}, {0, -1, 200}},
		Table: map[string][]int{"one": {1}}, Any: []string{"in", "side"},
		Many: map[string]interface{}{"list": []string{"a"}}, When: time.Unix(0, 0).UTC(), Last: "end",
	}
	e.Inner.B = 128
	return e
}

func values() []interface{} {
	flags := []mcnflag.Flag{
		mcnflag.StringFlag{Name: "a-string", Usage: "u", EnvVar: "E", Value: "v"},
		mcnflag.IntFlag{Name: "an-int", Value: -7},
		mcnflag.BoolFlag{Name: "a-bool"},
		mcnflag.StringSliceFlag{Name: "a-list", Value: []string{"x", "y"}},
		&mcnflag.StringFlag{Name: "behind-a-pointer"},
	}
	return []interface{}{
		struct{}{}, 0, -129, uint(300), true, "text", []byte("bytes"), 1.5, []string{"a", ""},
		map[string]int{"k": 1}, &flags, everything(), everything(), "after",
	}
}

func main() {
	if os.Args[1] == "write" {
		out := gob.NewEncoder(os.Stdout)
		for _, value := range values() {
			if err := out.Encode(value); err != nil {
				panic(err)
			}
		}
		return
	}
	gob.Register(new(rpcdriver.RPCFlags))
	in := gob.NewDecoder(os.Stdin)
	var empty struct{}
	var number int
	var text string
	var raw []byte
	var options interface{ String(string) string }
	for _, into := range []interface{}{&empty, &number, &text, &raw, &options, &options} {
		if err := in.Decode(into); err != nil {
			panic(err)
		}
	}
	fmt.Printf("%v %d %q %q\n", empty, number, text, raw)
	values := options.(*rpcdriver.RPCFlags).Values
	for _, name := range []string{"text", "number", "yes", "list", "none"} {
		fmt.Printf("%s %T %v\n", name, values[name], values[name])
	}
	var e Everything
	if err := in.Decode(&e); err != nil {
		panic(err)
	}
	fmt.Printf("%+v\n", e)
}
