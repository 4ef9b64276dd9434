package session

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/term"
)

// graceTime is how long a program that was told to end may take.
const graceTime = 5 * time.Second

// program is a started program that ends with the session.
type program struct {
	cmd  *exec.Cmd
	kill chan struct{} // closed to end it
	once sync.Once
}

func newProgram(cmd *exec.Cmd) *program { return &program{cmd: cmd, kill: make(chan struct{})} }

// end ends the program at once.
func (p *program) end() { p.once.Do(func() { close(p.kill) }) }

// run starts the program and returns its exit code: that of a shell, 128 and the signal's number, where a signal has ended it. A signal to
// this process is passed on. The terminal is as it was afterwards, even if the program had no time for that. started is called with the
// program's process id.
func (p *program) run(ends <-chan os.Signal, started func(pid int)) (int, error) {
	noCore()
	defer keepTerminal()()
	if len(stopping) > 0 { // stopped by Ctrl-Z, with the program
		stops := make(chan os.Signal, 1)
		signal.Notify(stops, stopping...)
		defer signal.Stop(stops)
	}
	if err := p.cmd.Start(); err != nil {
		return 0, fmt.Errorf("%s: %w", p.cmd.Path, err)
	}
	started(p.cmd.Process.Pid)
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(ends, over) })
	code, err := await(p.cmd.Process)
	close(over)
	watching.Wait()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.cmd.Path, err)
	}
	return code, nil
}

// watch passes signals on, and ends a program that does not obey.
func (p *program) watch(ends <-chan os.Signal, over <-chan struct{}) {
	var grace <-chan time.Time
	kill := p.kill
	for {
		select {
		case <-over:
			return
		case s := <-ends:
			_ = p.cmd.Process.Signal(passedOn(s))
			if grace == nil {
				grace = time.After(graceTime)
			}
		case <-kill:
			kill = nil
			_ = p.cmd.Process.Signal(terminate)
			grace = time.After(graceTime)
		case <-grace:
			_ = p.cmd.Process.Kill()
			grace = nil
		}
	}
}

// keepTerminal remembers the state of the terminal, and returns what gives it back.
func keepTerminal() (restore func()) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return func() {}
	}
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(fd, state) }
}
