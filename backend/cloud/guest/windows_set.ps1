# cloudpw: set the password of one local account. What stands below is encrypted for this server's key.
$ErrorActionPreference = 'Stop'
$name = '@USERNAME@'
$sealed = '@CIPHERTEXT@'

# Ends the process itself: where a script is run by -Command, exit would turn every code into 1.
function Complete([int]$code, [string]$text) {
	[Console]::Out.WriteLine('cloudpw: ' + $text)
	[Console]::Out.Flush()
	[Environment]::Exit($code)
}

# Says whether Windows refused the password itself: NERR_PasswordTooShort, ERROR_PASSWORD_RESTRICTION,
# or the exception that Set-LocalUser makes of them.
function Test-Refused([Exception]$e) {
	while ($null -ne $e) {
		if ($e.GetType().Name -eq 'InvalidPasswordException') { return $true }
		if (('{0:X8}' -f $e.HResult) -in '800708C5', '8007052D') { return $true }
		$e = $e.InnerException
	}
	return $false
}

# Codes up to 95 say that nothing was changed.
try {
	$identity = [Security.Principal.WindowsIdentity]::GetCurrent()
	$role = [Security.Principal.WindowsBuiltInRole]::Administrator
	if (-not (New-Object Security.Principal.WindowsPrincipal($identity)).IsInRole($role)) { Complete 91 'not an administrator' }
	if ((Get-WmiObject -Class Win32_ComputerSystem).DomainRole -ge 4) { Complete 92 'domain controller' }

	$user = [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($name))
	if ($user -eq ('{0}builtin-administrator' -f [char]64)) {
		# Its name is the language's, and may have been changed; its SID ends in -500 everywhere.
		$user = $null
		foreach ($candidate in (Get-WmiObject -Class Win32_UserAccount -Filter 'LocalAccount=True')) {
			if ($candidate.SID -match '^S-1-5-21-\d+-\d+-\d+-500$') { $user = $candidate.Name }
		}
		if (-not $user) { Complete 93 'no such user' }
	}
	$cmdlets = [bool](Get-Command -Name Set-LocalUser -ErrorAction SilentlyContinue)
	if ($cmdlets) {
		if (-not (Get-LocalUser -Name $user -ErrorAction SilentlyContinue)) { Complete 93 'no such user' }
	} else {
		$account = $null
		foreach ($child in ([ADSI]'WinNT://.,computer').Children) {
			if ($child.SchemaClassName -eq 'User' -and $child.Name -eq $user) { $account = $child }
		}
		if ($null -eq $account) { Complete 93 'no such user' }
	}
} catch {
	$cause = $_.Exception.GetBaseException()
	Complete 90 ('failed ' + $cause.GetType().FullName + (' 0x{0:X8}' -f $cause.HResult))
}

try {
	$parameters = New-Object System.Security.Cryptography.CspParameters(24)
	$parameters.KeyContainerName = 'cloudpw'
	$parameters.Flags = [System.Security.Cryptography.CspProviderFlags]'UseMachineKeyStore,UseExistingKey'
	$rsa = New-Object System.Security.Cryptography.RSACryptoServiceProvider($parameters)
	$clear = $rsa.Decrypt([Convert]::FromBase64String($sealed), $true)
} catch {
	Complete 94 'the key is missing or another one'
}

try {
	# Character by character: what is given to a cmdlet as text may be recorded by PowerShell's module logging.
	$characters = [Text.Encoding]::UTF8.GetChars($clear)
	[Array]::Clear($clear, 0, $clear.Length)
	if ($cmdlets) {
		$secure = New-Object System.Security.SecureString
		foreach ($c in $characters) { $secure.AppendChar($c) }
		[Array]::Clear($characters, 0, $characters.Length)
		Set-LocalUser -Name $user -Password $secure
	} else {
		$account.psbase.Invoke('SetPassword', (-join $characters))
		$account.psbase.CommitChanges()
	}
} catch {
	$cause = $_.Exception.GetBaseException()
	$number = ' 0x{0:X8}' -f $cause.HResult
	if (Test-Refused $_.Exception) { Complete 95 ('password refused' + $number) }
	Complete 96 ('failed ' + $cause.GetType().FullName + $number)
}
Complete 0 'password set'
