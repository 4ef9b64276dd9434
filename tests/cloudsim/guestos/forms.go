package guestos

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// keyBits is the size of the keys that the simulated Windows makes: the least that cloudpw takes, since a
// test has to wait for it. The real script asks for 3072.
const keyBits = 2048

// forms are cloudpw's scripts without their values.
var forms = sync.OnceValue(func() map[string]kind {
	change := guest.Change{Username: "root", Secret: "x", Order: 1, NotAfter: time.Unix(1, 0)}
	linux, err := guest.Linux(change)
	if err != nil {
		panic(err)
	}
	look, err := guest.Look("root")
	if err != nil {
		panic(err)
	}
	// Any public key does to see the form of the script.
	sample, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		panic(err)
	}
	key, err := guest.ParsePublicKey(printed(&sample.PublicKey))
	if err != nil {
		panic(err)
	}
	set, err := guest.WindowsSet(change, key)
	if err != nil {
		panic(err)
	}
	try, err := guest.WindowsTry("root", "x", key, time.Now())
	if err != nil {
		panic(err)
	}
	return map[string]kind{blank(linux.Text): linuxSet, blank(linux.Stored.Text): linuxSet, blank(look.Text): linuxLook,
		blank(look.Stored.Text): linuxLook, blank(guest.WindowsPrepare().Text): windowsPrepare, blank(set.Text): windowsSet,
		blank(try.Text): windowsTry}
})

// printed is what the preparation prints.
func printed(key *rsa.PublicKey) string {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("cloudpw: public key n=%s,e=%s;\r\ncloudpw: exit 0 public key shown\r\n",
		encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes()))
}
