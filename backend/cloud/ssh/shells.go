package ssh

// What runs on a host. Scripts come on standard input: arguments can be seen by everybody there.
const (
	// shell reads the script, sudoShell does so as root. These very words are what sudoers has to allow.
	shell     = "/bin/sh -s"
	sudoShell = "sudo -n -- " + shell
	// ready is what a shell on a terminal says before it reads the script: until then sudo may still change the terminal, and lose input.
	ready = "cloudpw: ready"
	// sudoTerminal is sudoShell on a terminal, which has no end of input: head ends it after so many bytes.
	sudoTerminal = "sudo -n -- /bin/sh -c 'echo " + ready + "; head -c %d | " + shell + "'"
	// powerShell reads the whole script before it begins: with "-Command -" it would run it line by line, as if it were typed.
	powerShell = `powershell -NoProfile -NonInteractive -Command "& ([ScriptBlock]::Create([Console]::In.ReadToEnd()))"`
)
