// testcloud is a plugin as others wrote them for docker-machine: it makes its own ssh key, rents a server over HTTP,
// waits for it, and keeps a part of what it was told in memory only.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.org/testplugin/mcnflag"
	"example.org/testplugin/rpcdriver"
)

const running, stopped = 1, 4

// BaseDriver is what every driver's JSON has.
type BaseDriver struct {
	IPAddress      string
	MachineName    string
	SSHUser        string
	SSHPort        int
	SSHKeyPath     string
	StorePath      string
	SwarmMaster    bool
	SwarmHost      string
	SwarmDiscovery string
}

// Account is here to have a secret inside an object.
type Account struct{ Project, Password string }

// Driver is one machine.
type Driver struct {
	*BaseDriver
	Endpoint  string
	Token     string
	Account   Account
	ServerID  int64
	Size      int
	Tags      []string
	Protected bool
	Made      struct{ RootPassword string }
	note      string // like the user data of many a plugin: told, needed by Create, not written down
	checked   bool
}

type server struct {
	ID      int64  `json:"id"`
	State   string `json:"state"`
	Address string `json:"address"`
	Port    int    `json:"port"`
	User    string `json:"user"`
}

func main() {
	rpcdriver.Serve(&Driver{BaseDriver: &BaseDriver{}}, strings.HasSuffix(os.Args[0], "-old"))
}

// DriverName is what -d says.
func (d *Driver) DriverName() string { return "testcloud" }

// Flags has one of each kind.
func (d *Driver) Flags() []mcnflag.Flag {
	return []mcnflag.Flag{
		mcnflag.StringFlag{Name: "testcloud-endpoint", Usage: "URL of the service", EnvVar: "TESTCLOUD_ENDPOINT"},
		mcnflag.StringFlag{Name: "testcloud-api-token", Usage: "token of the account", EnvVar: "TESTCLOUD_API_TOKEN"},
		mcnflag.StringFlag{Name: "testcloud-password", Usage: "password of the project", EnvVar: "TESTCLOUD_PASSWORD"},
		mcnflag.StringFlag{Name: "testcloud-user-pass", Usage: "password to be set, which is not written down"},
		mcnflag.StringFlag{Name: "testcloud-note", Usage: "goes with the server", Value: "none"},
		mcnflag.IntFlag{Name: "testcloud-size", Usage: "processors", EnvVar: "TESTCLOUD_SIZE", Value: 2},
		mcnflag.StringSliceFlag{Name: "testcloud-tag", Usage: "a tag", EnvVar: "TESTCLOUD_TAGS"},
		mcnflag.BoolFlag{Name: "testcloud-protected", Usage: "ask twice"},
	}
}

// SetConfigFromFlags takes what the user said.
func (d *Driver) SetConfigFromFlags(flags rpcdriver.Options) error {
	d.Endpoint, d.Token = flags.String("testcloud-endpoint"), flags.String("testcloud-api-token")
	d.Account = Account{"p", flags.String("testcloud-password")}
	d.note = flags.String("testcloud-note") + "/" + flags.String("testcloud-user-pass")
	d.Size, d.Tags = flags.Int("testcloud-size"), flags.StringSlice("testcloud-tag")
	d.Protected = flags.Bool("testcloud-protected")
	d.SwarmMaster, d.SwarmHost = flags.Bool("swarm-master"), flags.String("swarm-host")
	d.SwarmDiscovery = flags.String("swarm-discovery")
	if d.Token == "" {
		return errors.New("testcloud requires --testcloud-api-token to be set")
	}
	return nil
}

func (d *Driver) call(method, path string, body, answer interface{}) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, d.Endpoint+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+d.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// PreCreateCheck makes nothing.
func (d *Driver) PreCreateCheck() error {
	d.checked = true
	d.Made.RootPassword = "made-up-" + strings.Repeat("x", 20)
	return d.call("GET", "/account", nil, nil)
}

// Create does all the work before it returns.
func (d *Driver) Create() error {
	if !d.checked {
		return errors.New("Create without PreCreateCheck in this process")
	}
	if d.note == "panic/" {
		panic("on demand\nwith a second line")
	}
	key, err := makeKey(d.keyPlace())
	if err != nil {
		return err
	}
	fmt.Println("Creating a server with token", d.Token)
	fmt.Fprintln(os.Stderr, "debugging words of the plugin")
	made := server{}
	body := map[string]interface{}{
		"name": d.MachineName, "key": key, "size": d.Size, "tags": d.Tags, "note": d.note, "root": d.Made.RootPassword,
	}
	if err := d.call("POST", "/servers", body, &made); err != nil {
		return err
	}
	d.ServerID = made.ID
	for made.State != "running" {
		if made.State == "failed" {
			return errors.New("the server has failed")
		}
		time.Sleep(50 * time.Millisecond)
		if made, err = d.server(); err != nil {
			return err
		}
	}
	d.IPAddress, d.SSHPort, d.SSHUser = made.Address, made.Port, made.User
	fmt.Println("Server is up")
	return nil
}

func (d *Driver) server() (found server, err error) {
	if d.ServerID == 0 {
		return found, errors.New("server ID is 0")
	}
	err = d.call("GET", fmt.Sprintf("/servers/%d", d.ServerID), nil, &found)
	return found, err
}

// keyPlace is the place that docker-machine's base driver chooses.
func (d *Driver) keyPlace() string {
	return filepath.Join(d.StorePath, "machines", d.MachineName, "id_rsa")
}

// State asks the service. Like many, it crashes on a server that it has not made.
func (d *Driver) State() (int, error) {
	if d.ServerID == 0 {
		var none *server
		d.ServerID = none.ID
	}
	found, err := d.server()
	if err != nil {
		return 0, err
	}
	return map[string]int{"running": running, "stopped": stopped, "starting": 6}[found.State], nil
}

// IP is known once the server runs.
func (d *Driver) IP() (string, error) {
	if d.IPAddress == "" {
		return "", errors.New("IP address is not set")
	}
	return d.IPAddress, nil
}

// URL of the engine.
func (d *Driver) URL() (string, error) {
	address, err := d.IP()
	return "tcp://" + address + ":2376", err
}

func (d *Driver) Machine() string              { return d.MachineName }
func (d *Driver) SSHHostname() (string, error) { return d.IP() }
func (d *Driver) Port() (int, error)           { return d.SSHPort, nil }
func (d *Driver) SSHUsername() string          { return d.SSHUser }
func (d *Driver) KeyPath() string              { return d.keyPlace() }

func (d *Driver) act(verb string) error {
	return d.call("POST", fmt.Sprintf("/servers/%d/%s", d.ServerID, verb), nil, nil)
}

func (d *Driver) Start() error   { return d.act("start") }
func (d *Driver) Stop() error    { return d.act("stop") }
func (d *Driver) Kill() error    { return d.act("stop") }
func (d *Driver) Restart() error { return d.act("start") }

// Remove gives the server back.
func (d *Driver) Remove() error {
	if d.ServerID == 0 {
		return nil
	}
	return d.call("DELETE", fmt.Sprintf("/servers/%d", d.ServerID), nil, nil)
}
