package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
)

// bare starts the simulated clouds, with the simulator's own few servers, and a Vault that can have the plugin, and writes
// cloudsim.json, the simulator's ready line, and then vault.env, assignments of VAULT_ADDR and VAULT_TOKEN for a shell, to the folder.
// It runs until it is interrupted.
func bare(ctx context.Context, o options) error {
	sim, err := cloudsim.New(cloudsim.Options{})
	if err != nil {
		return err
	}
	defer sim.Close()
	if _, err := sim.Seed(cloudsim.SeedOptions{}); err != nil {
		return err
	}
	ready, err := json.Marshal(sim.Info())
	if err != nil {
		return fmt.Errorf("the simulator's ready line: %w", err)
	}
	vault, err := startVault(ctx, o.vault, o.bin, o.bare)
	if err != nil {
		return err
	}
	defer vault.process.stop()
	env := "VAULT_ADDR=" + quote(vault.address) + "\nVAULT_TOKEN=" + quote(vault.root.Token()) + "\n"
	for _, file := range []struct{ name, text string }{{"cloudsim.json", string(ready) + "\n"}, {"vault.env", env}} {
		if err := replace(filepath.Join(o.bare, file.name), file.text); err != nil {
			return err
		}
	}
	return vault.process.wait(ctx)
}

// replace writes a file in one step: whoever waits for it never sees half of it.
func replace(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
