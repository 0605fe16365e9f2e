package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"os"
)

// makeKey writes a new RSA key to path and path.pub, as plugins do, and gives its line for authorized_keys.
func makeKey(path string) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0600); err != nil {
		return "", err
	}
	wire := field([]byte("ssh-rsa"))
	wire = append(wire, number(big.NewInt(int64(key.E)))...)
	wire = append(wire, number(key.N)...)
	line := "ssh-rsa " + base64.StdEncoding.EncodeToString(wire)
	return line, os.WriteFile(path+".pub", []byte(line+"\n"), 0600)
}

// field is a string as ssh sends it (RFC 4251, section 5).
func field(data []byte) []byte {
	length := make([]byte, 4)
	binary.BigEndian.PutUint32(length, uint32(len(data)))
	return append(length, data...)
}

// number is a positive number as ssh sends it: a zero ahead of a first bit that would be its sign.
func number(value *big.Int) []byte {
	data := value.Bytes()
	if data[0] >= 128 {
		data = append([]byte{0}, data...)
	}
	return field(data)
}
