package session

import "os"

var stopping []os.Signal

// await waits for a started program and returns its exit code.
func await(p *os.Process) (int, error) {
	state, err := p.Wait()
	if err != nil {
		return 0, err
	}
	return state.ExitCode(), nil
}

func noCore() {}
