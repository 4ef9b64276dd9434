# cloudpw: set the password of one local account. What stands below is encrypted for this server's key.
$ErrorActionPreference = 'Stop'
$name = '@USERNAME@'
$sealed = '@CIPHERTEXT@'
$order = '@ORDER@'
$notafter = '@NOTAFTER@'

# Ends the process itself: where a script is run by -Command, exit would turn every code into 1. Its line tells the code to
# clouds that tell none.
function Complete([int]$code, [string]$text) {
	[Console]::Out.WriteLine('cloudpw: exit ' + $code + ' ' + $text)
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

# All codes but 0 and 96 say that this run has changed nothing. An agent may have run the command before, which 97 and 98
# do not tell.
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
		$account = Get-LocalUser -Name $user -ErrorAction SilentlyContinue
		if (-not $account) { Complete 93 'no such user' }
		$sid = $account.SID.Value
	} else {
		$account = $null
		foreach ($child in ([ADSI]'WinNT://.,computer').Children) {
			if ($child.SchemaClassName -eq 'User' -and $child.Name -eq $user) { $account = $child }
		}
		if ($null -eq $account) { Complete 93 'no such user' }
		$sid = (New-Object Security.Principal.SecurityIdentifier([byte[]]$account.psbase.Properties['objectSid'].Value, 0)).Value
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
	# Never released: it ends with this process, and so not before what it does. One that a process left behind is as good.
	$mutex = New-Object System.Threading.Mutex($false, 'Global\cloudpw')
	$taken = $false
	try {
		$taken = $mutex.WaitOne(30000)
	} catch {
		if ($_.Exception.GetBaseException() -isnot [System.Threading.AbandonedMutexException]) { throw }
		$taken = $true
	}
	if (-not $taken) { Complete 99 'the mutex is taken' }

	# One value for each user, in the view that 32-bit processes share. Only administrators can write there.
	$software = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
	$orders = $software.CreateSubKey('SOFTWARE\cloudpw')
	$old = $orders.GetValue($sid)
	if ($null -ne $old) {
		if ($old -isnot [string] -or $old -notmatch '^[0-9]{10}\z') { Complete 99 'what is noted in the registry is no order' }
		if ([int64]$old -gt [int64]$order) { Complete 98 ('too old order={0} server={1}' -f $order, $old) }
	}
	# Before the change, and on disk: noted after it, the order would be worth nothing where the server goes down in between.
	$orders.SetValue($sid, $order, [Microsoft.Win32.RegistryValueKind]::String)
	$orders.Flush()
	if ($orders.GetValue($sid) -ne $order) { Complete 99 'the registry has not kept the order' }
} catch {
	$cause = $_.Exception.GetBaseException()
	Complete 99 ('no order can be kept ' + $cause.GetType().FullName + (' 0x{0:X8}' -f $cause.HResult))
}

try {
	# Character by character: what is given to a cmdlet as text may be recorded by PowerShell's module logging.
	$characters = [Text.Encoding]::UTF8.GetChars($clear)
	[Array]::Clear($clear, 0, $clear.Length)
	if ($cmdlets) {
		$secure = New-Object System.Security.SecureString
		foreach ($c in $characters) { $secure.AppendChar($c) }
		[Array]::Clear($characters, 0, $characters.Length)
	}
	$epoch = New-Object DateTime(1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc)
	$now = [int64][Math]::Floor(([DateTime]::UtcNow - $epoch).TotalSeconds)
	if ($now -gt [int64]$notafter) { Complete 97 ('too late now={0:D10} notafter={1}' -f $now, $notafter) }
	if ($cmdlets) {
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
