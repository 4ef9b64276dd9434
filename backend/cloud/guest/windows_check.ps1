# cloudpw: try, once at most, whether one local account has a password. What stands below is encrypted for this server's key.
$ErrorActionPreference = 'Stop'
$name = '@USERNAME@'
$sealed = '@CIPHERTEXT@'
$until = '@UNTIL@'

# Ends the process itself: where a script is run by -Command, exit would turn every code into 1. Its line tells the code to
# clouds that tell none.
function Complete([int]$code, [string]$text) {
	[Console]::Out.WriteLine('cloudpw: exit ' + $code + ' ' + $text)
	[Console]::Out.Flush()
	[Environment]::Exit($code)
}

# Codes other than 0 say that nothing was tried.
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
		if (-not $user) { Complete 0 'checked no_user' }
	}
	$account = $null
	foreach ($child in ([ADSI]'WinNT://.,computer').Children) {
		if ($child.SchemaClassName -eq 'User' -and $child.Name -eq $user) { $account = $child }
	}
	if ($null -eq $account) { Complete 0 'checked no_user' }

	# What says that the user cannot log in, whichever the password: there is nothing to be learned from a try.
	$flags = [int]$account.psbase.Properties['UserFlags'].Value
	if ($flags -band 2) { Complete 0 'checked disabled' }
	if ($account.psbase.InvokeGet('IsAccountLocked')) { Complete 0 'checked locked' }
	$expires = $null
	try {
		$expires = $account.psbase.InvokeGet('AccountExpirationDate')
	} catch {
		# It has none.
		$expires = $null
	}
	$now = Get-Date
	if ($null -ne $expires -and $expires.Year -gt 1980 -and $expires -le $now) { Complete 0 'checked account_expired' }
	if ([int]$account.psbase.Properties['PasswordExpired'].Value -ne 0) { Complete 0 'checked password_expired' }

	# A wrong try, and one more after it, must not lock the account. A server that does not tell is not tried.
	$most = $account.psbase.Properties['MaxBadPasswordsAllowed'].Value
	$wrong = $account.psbase.Properties['BadPasswordAttempts'].Value
	if ($null -eq $most -or $null -eq $wrong) { Complete 0 'checked no_policy' }
	if ([int]$most -gt 0 -and [int]$wrong + 2 -ge [int]$most) { Complete 0 ('checked too_many {0} {1}' -f [int]$wrong, [int]$most) }

	$sid = (New-Object Security.Principal.SecurityIdentifier([byte[]]$account.psbase.Properties['objectSid'].Value, 0)).Value
	$source = '[DllImport("advapi32.dll", SetLastError = true, CharSet = CharSet.Unicode, ExactSpelling = true)] ' +
		'static extern bool LogonUserW(string user, string domain, IntPtr password, int type, int provider, out IntPtr token); ' +
		'[DllImport("kernel32.dll")] static extern bool CloseHandle(IntPtr handle); ' +
		'public static string Try(string user, IntPtr password) { ' +
		'IntPtr token; if (!LogonUserW(user, ".", password, 3, 0, out token)) return Marshal.GetLastWin32Error().ToString(); ' +
		'try { return new System.Security.Principal.WindowsIdentity(token).User.Value; } finally { CloseHandle(token); } }'
	$logon = Add-Type -PassThru -Namespace CloudPw -Name Logon -MemberDefinition $source
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

$found = 'failed'
try {
	# Character by character: what is given to a cmdlet as text may be recorded by PowerShell's module logging.
	$characters = [Text.Encoding]::UTF8.GetChars($clear)
	[Array]::Clear($clear, 0, $clear.Length)
	$secure = New-Object System.Security.SecureString
	foreach ($c in $characters) { $secure.AppendChar($c) }
	[Array]::Clear($characters, 0, $characters.Length)
	$pointer = [Runtime.InteropServices.Marshal]::SecureStringToGlobalAllocUnicode($secure)
	try {
		$now = ([DateTime]::UtcNow - (New-Object DateTime(1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc))).TotalSeconds
		if ($now -gt [int64]$until) { Complete 0 'checked late' }
		$found = $logon::Try($user, $pointer)
	} finally {
		[Runtime.InteropServices.Marshal]::ZeroFreeGlobalAllocUnicode($pointer)
	}
} catch {
	$cause = $_.Exception.GetBaseException()
	Complete 0 ('checked failed' + (' 0x{0:X8}' -f $cause.HResult))
}
if ($found -eq $sid) { Complete 0 'checked matches' }
if ($found -match '^\d+$') { Complete 0 ('checked refused ' + $found) }
Complete 0 'checked other_user'
