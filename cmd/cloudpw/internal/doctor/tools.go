package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Tools looks at the programs of this computer.
type Tools struct {
	Look   func(name string) (string, error)                             // as exec.LookPath
	Output func(ctx context.Context, name string, args ...string) string // what a program prints, on both streams
	Getenv func(name string) string
}

// toolTime bounds a program that only prints its version.
const toolTime = 5 * time.Second

// LocalTools are those of this computer.
func LocalTools() Tools {
	return Tools{Look: exec.LookPath, Getenv: os.Getenv, Output: func(ctx context.Context, name string, args ...string) string {
		ctx, cancel := context.WithTimeout(ctx, toolTime)
		defer cancel()
		out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // names of the code's own
		return string(out)
	}}
}

// openSSH finds the version in what `ssh -V` prints.
var openSSH = regexp.MustCompile(`OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)`)

// firstAskpass is the first release of OpenSSH with SSH_ASKPASS_REQUIRE, by which it asks us for the password also on a terminal
// (https://www.openssh.com/txt/release-8.4).
var firstAskpass = [2]int{8, 4}

func (d *Doctor) tools(ctx context.Context) {
	if d.first("ssh") == "" {
		d.add(partTools, Note, "install OpenSSH's client", "there is no ssh, which cloudpw ssh starts")
	} else {
		d.ssh(d.Tools.Output(ctx, "ssh", "-V"))
	}
	if name := d.first("xfreerdp3", "xfreerdp", "sdl-freerdp3", "sdl-freerdp", "wlfreerdp"); name != "" {
		d.add(partTools, OK, "", "remote desktop: "+name)
	} else {
		d.add(partTools, Note, "install FreeRDP, or cloudpw rdp SERVER --file server.rdp for another client",
			"there is no xfreerdp, which cloudpw rdp starts")
	}
	var clipboards []string
	if d.Tools.Getenv("WAYLAND_DISPLAY") != "" {
		clipboards = append(clipboards, "wl-copy")
	}
	if d.Tools.Getenv("DISPLAY") != "" {
		clipboards = append(clipboards, "xclip", "xsel")
	}
	clipboards = append(clipboards, "pbcopy", "clip.exe")
	if name := d.first(clipboards...); name != "" {
		d.add(partTools, OK, "", "clipboard: "+name)
	} else {
		d.add(partTools, Note, "install wl-clipboard (Wayland) or xclip (X11), and run cloudpw in the desktop's session",
			"there is no clipboard for cloudpw take --clip")
	}
}

// first is the first of some programs that is there.
func (d *Doctor) first(names ...string) string {
	for _, name := range names {
		if _, err := d.Tools.Look(name); err == nil {
			return name
		}
	}
	return ""
}

func (d *Doctor) ssh(printed string) {
	found := openSSH.FindStringSubmatch(printed)
	if found == nil {
		d.add(partTools, Note, "install OpenSSH's client", "ssh does not say that it is OpenSSH's, which cloudpw ssh needs")
		return
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2])
	if major < firstAskpass[0] || major == firstAskpass[0] && minor < firstAskpass[1] {
		d.add(partTools, Note, "upgrade OpenSSH", fmt.Sprintf("ssh is OpenSSH %d.%d, and cloudpw ssh needs %d.%d or later", major, minor,
			firstAskpass[0], firstAskpass[1]))
		return
	}
	d.add(partTools, OK, "", fmt.Sprintf("ssh: OpenSSH %d.%d", major, minor))
}
