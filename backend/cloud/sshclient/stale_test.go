package sshclient

import (
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// TestNoInputPastItsTime: an input whose time has passed is not sent, be it that the way to the host took too long, or the host until it
// was ready.
func TestNoInputPastItsTime(t *testing.T) {
	key := sshserver.NewKey(t)
	got := make(chan string, 1)
	s := (&server{keys: []ssh.PublicKey{key.PublicKey()}, exec: func(command string, in io.Reader, out, _ io.Writer) int {
		if command == "late" {
			time.Sleep(500 * time.Millisecond)
			_, _ = io.WriteString(out, "ready\r\n")
		}
		read, _ := io.ReadAll(in)
		got <- string(read)
		return 0
	}}).start(t)
	for command, left := range map[string]time.Duration{"at once": -time.Millisecond, "late": 250 * time.Millisecond} {
		client, err := Dial(t.Context(), s.target(), []ssh.Signer{key}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx := cloud.WithSendDeadline(t.Context(), time.Now().Add(left))
		if command == "late" {
			_, err = client.RunTTY(ctx, command, "ready", []byte("input"))
		} else {
			_, err = client.Run(ctx, command, []byte("input"))
		}
		client.Close()
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "time until which it might be sent was over") {
			t.Errorf("%s: %v", command, err)
		}
		if read := <-got; read != "" {
			t.Errorf("%s: the host was sent %q", command, read)
		}
	}
}
