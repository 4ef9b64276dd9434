//go:build !windows

package askpass

import (
	"fmt"
	"os"
	"syscall"
)

// checkParent refuses a folder in which another user could put a folder of his own in place of ours: a helper of his would run as this
// user then. After `sudo -E` and `su`, XDG_RUNTIME_DIR may be the other user's. Whoever owns a folder may rename what is in it; with the
// sticky bit, as in /tmp, nobody else may.
func checkParent(dir string) error {
	info, err := os.Stat(dir) //nolint:gosec // G703: the user's own environment names it
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case known && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (uid %d), who could replace what is in it: set TMPDIR to a folder of yours", dir, owner.Uid)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0:
		return fmt.Errorf("%s can be changed by other users, and has no sticky bit: set TMPDIR to a folder of yours", dir)
	}
	return nil
}
