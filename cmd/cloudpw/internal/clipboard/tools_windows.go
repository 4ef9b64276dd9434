package clipboard

import "strings"

const missing = "powershell.exe is not on the PATH"

// tools: PowerShell reads and writes UTF-8 only if it is told to.
func tools() []tool {
	shell := func(script string) []string {
		return []string{"powershell.exe", "-NoProfile", "-NonInteractive", "-Command",
			"[Console]::InputEncoding = [Console]::OutputEncoding = [Text.UTF8Encoding]::new($false); " + script}
	}
	return []tool{{
		write: shell("$text = [Console]::In.ReadToEnd(); if ($text) { Set-Clipboard -Value $text } else { Set-Clipboard -Value $null }"),
		read:  shell("[Console]::Out.Write((Get-Clipboard -Raw))"),
	}}
}

func trim(s string) string { return strings.TrimRight(s, "\r\n") }
