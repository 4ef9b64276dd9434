# cloudpw: make, unless it is there, the key pair under which this server's passwords are encrypted, and print its public half.
$ErrorActionPreference = 'Stop'

# Ends the process itself: where a script is run by -Command, exit would turn every code into 1. Its line tells the code to
# clouds that tell none.
function Complete([int]$code, [string]$text) {
	[Console]::Out.WriteLine('cloudpw: exit ' + $code + ' ' + $text)
	[Console]::Out.Flush()
	[Environment]::Exit($code)
}

# The key container, in the machine's key store.
function New-Parameters([string]$flags) {
	$parameters = New-Object System.Security.Cryptography.CspParameters(24)
	$parameters.KeyContainerName = 'cloudpw'
	$parameters.Flags = [System.Security.Cryptography.CspProviderFlags]$flags
	return $parameters
}

try {
	$identity = [Security.Principal.WindowsIdentity]::GetCurrent()
	$role = [Security.Principal.WindowsBuiltInRole]::Administrator
	if (-not (New-Object Security.Principal.WindowsPrincipal($identity)).IsInRole($role)) { Complete 91 'not an administrator' }

	$old = $null
	try {
		$old = New-Object System.Security.Cryptography.RSACryptoServiceProvider((New-Parameters 'UseMachineKeyStore,UseExistingKey'))
	} catch {
		# There is none yet. One that cannot be opened makes the next step fail, too.
		$old = $null
	}
	# A container that somebody else made beforehand may let him read the key: it is replaced.
	if ($null -ne $old) {
		$owner = $old.CspKeyContainerInfo.CryptoKeySecurity.GetOwner([System.Security.Principal.SecurityIdentifier]).Value
		if ($owner -ne 'S-1-5-18' -and $owner -ne 'S-1-5-32-544') {
			$old.PersistKeyInCsp = $false
			$old.Clear()
		}
	}

	# A new one is for SYSTEM and the administrators alone.
	$access = New-Object System.Security.AccessControl.CryptoKeySecurity
	$access.SetAccessRuleProtection($true, $false)
	foreach ($sid in 'S-1-5-18', 'S-1-5-32-544') {
		$who = New-Object System.Security.Principal.SecurityIdentifier($sid)
		$access.AddAccessRule((New-Object System.Security.AccessControl.CryptoKeyAccessRule($who, 'FullControl', 'Allow')))
	}
	$parameters = New-Parameters 'UseMachineKeyStore,UseNonExportableKey'
	$parameters.CryptoKeySecurity = $access
	$rsa = New-Object System.Security.Cryptography.RSACryptoServiceProvider(3072, $parameters)
	$public = $rsa.ExportParameters($false)
	$modulus = [Convert]::ToBase64String($public.Modulus)
	$exponent = [Convert]::ToBase64String($public.Exponent)
	[Console]::Out.WriteLine('cloudpw: public key n=' + $modulus + ',e=' + $exponent + ';')
	Complete 0 'public key shown'
} catch {
	$cause = $_.Exception.GetBaseException()
	Complete 90 ('failed ' + $cause.GetType().FullName + (' 0x{0:X8}' -f $cause.HResult))
}
