// Package guest sets operating-system passwords by commands that a cloud's agent runs inside the server (AWS
// Systems Manager, Tencent's TAT, Huawei's COC), and looks at them. It makes the scripts, judges their results, and implements what all
// such reset methods ([Resetter]) and check methods ([Checker]) share. It knows no cloud: a provider supplies a
// [Service], which sends a [Command], asks for its progress, and states its limits.
//
// The password is the caller's own, so a command may be repeated: it sets the same value again. A clear
// password never appears in a command, which clouds keep in their histories, in its
// output, or in the arguments of a process.
//
// # Order and deadline
//
// Agents run accepted commands late, after weeks even, and some run a finished one again after an upgrade or a restore. So each
// value has an order number, which grows ([cloud.Reset]), and the server refuses one that is smaller than that of the value which
// it took last; an equal one is a retry, and accepted. That holds whatever its clock says. Reading the old order, and the change,
// are under one lock, so that no two scripts do both at once.
//
// A person may set a password by hand in between, which leaves no order (Linux), or does not change it (Windows). For that each
// script has a time after which it does not begin, [cloud.OrderDeadline] after the attempt's start. It is compared with the
// server's clock in the statement before the change. So an older value may replace a password that was set by hand within
// that time, and later where the server's clock is behind; and a server whose clock is ahead by more refuses every value, and
// says so.
//
// A script that came too late, or with too small an order, proves nothing of the command: an agent may have run it before, in
// time. [Outcome] calls both Unknown. Where order, lock or clock cannot be had, nothing is changed, which is certain of this run.
//
// Each script ends with one line, "cloudpw: exit <code> <text>", by which [ExitCode] tells the code for clouds that do not.
//
// # Stored scripts
//
// Some clouds run no text, but scripts that they keep, with parameters (Huawei Cloud's COC). The Linux scripts have such a form, too
// ([Stored]), made of the same text: the same for all users and passwords, in which each parameter stands once, as "${name}". It is
// right whether the cloud puts a value in that place or gives the script a variable of that name, and has no other "${". The user's name
// and the hash come in base64, the order and the deadline in digits. Before anything else the script looks whether all of it came,
// whole, and whether the hash is that of the order: if not, nothing is changed, and the outcome says that the cloud did not hand it
// over. It needs base64 (coreutils or BusyBox) or openssl.
//
// # Linux
//
// The order is the first ten digits of the salt, and the other six characters are random. The change itself notes it,
// and /etc/shadow tells it to the next script: nothing else is kept, and it is gone with the hash. The mark of a locked account is
// no part of it. On each server a file stays, /run/cloudpw.lock, empty, for flock(1) of util-linux or BusyBox. Only root can open
// it. /etc/shadow itself would not do: chpasswd replaces it by another file, and a group may be allowed to read it, whose members
// could hold a lock. The script first removes its own file, which an agent may have written for all to read (tat-agent), if
// $0 names a file that begins as the script does.
//
// A hash of ours that was copied from another account, or made by another Vault, has an order, too. A new one that is set by hand
// (passwd) has none, and so ends a refusal that nothing else would.
//
// The plugin makes a salted SHA-512 crypt hash ([Linux]), and the script feeds it to chpasswd -e on
// standard input, by a printf that is built into dash, bash and BusyBox's shell. What that means:
//
//   - It needs root, flock, date with +%s, and chpasswd in the agent's PATH; shadow-utils and BusyBox have one. Numbers are
//     compared as texts of ten digits, by the shell's own [ with \>, which dash, bash and BusyBox have. There is no
//     fallback to usermod -p: it takes the hash as an argument, which every process of the server can
//     see, and where there is a usermod there is a chpasswd.
//   - chpasswd -e writes the account's entry in /etc/shadow and asks no PAM module (shadow's chpasswd.c
//     skips PAM for -e), so password rules and histories of the server do not apply: the role's
//     password_policy does.
//   - The account must be local. One from a directory (LDAP, SSSD) is known to id, and has no field in which
//     an order could stand; or chpasswd does not know it and fails.
//   - Setting a password unlocks an account that passwd -l or usermod -L has locked: the lock is a mark
//     in the very field that is written, and images lock accounts that never had a password in the same
//     way. To bar an account that cloudpw manages, let it expire (usermod -e 1); expiry stays.
//   - chpasswd sets the date of the last change to today, so a password that had expired, or that was
//     to be changed at the next login, no longer is.
//   - Under SELinux the agent's commands normally run unconfined. Where a policy confines them, chpasswd
//     fails and says so.
//   - Whether the server accepts password logins at all is not checked: an sshd with
//     "PasswordAuthentication no" refuses the right password, too.
//
// The hash is as strong as the password: it has [Rounds] rounds, and anyone who can read the command
// history can try passwords against it. Passwords of the built-in generator are too strong for that.
//
// # Checks of Linux
//
// A check looks which of some passwords a user has. Its script ([Look]) has no secret in it and writes nothing, not even
// a temporary file. It reads the user's line in /etc/shadow and prints the scheme, the cost and the salt of the hash, and
// a SHA-256 digest of a nonce, which the command carries, and the hash. The hash itself is never printed, nor an argument
// of a process. Here crypt(3) is computed for each password, one at a time ([Hashing]), and the digests are compared: of
// schemes $6$, $5$, $1$, $2a$, $2b$, $2y$ and $y$, as far as their cost is bounded. What the user's state is comes from
// the line, too: locked, expired by the server's clock and the rules of pam_unix, empty. Where there is an sshd in
// /usr/sbin, "sshd -T" is asked whether it takes the user's password, for a client that no Match block names.
//
//   - A password is compared below the mark that locks it.
//   - Who can read the command's history can try passwords against the digest, at the price of the hash itself. The
//     nonce keeps digests of different looks from being compared with each other.
//   - It needs root, and a sha256sum, an openssl or a busybox in the agent's PATH.
//   - Of a user of a directory (LDAP, SSSD) it is said that nothing is known.
//   - Whether PAM has rules of its own (pam_access, pam_time, an account module of a directory) is not looked at.
//   - Anybody who is root on the server can print a report of any kind. It says nothing of other servers.
//
// # Windows (experimental)
//
// Experimental: the scripts were checked with a PowerShell grammar, and their cryptography and
// protocol against an emulation. They were never run on Windows.
//
// An RSA key pair lives in the server's machine key store. [WindowsPrepare] makes it unless it is there and
// prints the public half ([Prepared]); [WindowsSet] carries the password encrypted for it. If the
// server has lost the key, or has another one (a disk restored, a server built from an image of another),
// the outcome says so ([NeedsKey]) and the caller prepares again. The script sets the password with
// Set-LocalUser, or through ADSI where that cmdlet is missing. It refuses domain controllers, whose
// accounts are the domain's.
//
// The order is a value of the registry key HKLM\SOFTWARE\cloudpw, one for each user, named by the SID, in the 64-bit view. Only
// administrators can write there. It is noted, and flushed, before the change, under the mutex Global\cloudpw, which the process
// keeps until its end. The values stay on the server; whoever removes one lets an older password through until the deadline.
// Any process may make and hold a mutex of that name: then nothing is changed, after half a minute.
//
// The script has the user's name in base64 of UTF-16: agents save it without a byte order mark, and Windows
// PowerShell reads such a file in the code page of the server. The built-in administrator, whose name is that of
// the server's language, is found by its SID where [cloud.BuiltinAdministrator] is asked for.
//
// The padding is RSA-OAEP with SHA-1, since RSACryptoServiceProvider, which .NET has in every version and
// which reaches keys of the machine key store, knows no other OAEP. That is sound: OAEP needs its hash to
// behave like a random function and not to resist collisions, which is where SHA-1 is broken. Under
// GODEBUG=fips140=only Go refuses SHA-1 here, too, and [WindowsSet] fails with an error that says so.
//
// # Checks of Windows (experimental)
//
// Windows shows nobody a hash, so a check ([WindowsTry]) logs in, once, with the one password that it is given, encrypted for the
// server's key like one that is to be set. It was never run on Windows either. The script calls LogonUser through a few lines of
// C#: of the domain ".", which is the local account database, and as LOGON32_LOGON_NETWORK, which caches nothing (Microsoft's page
// "LogonUserW function (winbase.h)"). PrincipalContext.ValidateCredentials tells only right or wrong, and its login is one over
// the server's own SMB.
//
// A wrong password counts towards the user's lockout, and a right one sets the count to 0 ([MS-SAMR] 3.1.5.13.7.1,
// "SamValidateAuthentication"; new installations of Windows 11 lock at 10 within 10 minutes, the built-in administrator
// included, which KB5020282 has made possible). So
// the script looks first: IsAccountLocked may be read through ADSI ("Account Lockout (WinNT Provider)"), UserFlags has the bit of
// a disabled account, and of an expired account or password no login would be let in. Then it compares BadPasswordAttempts with
// MaxBadPasswordsAllowed, properties of WinNT's user objects of which no page was found: if they are missing, nothing is tried.
// It tries nothing unless another wrong password after its own would still leave the account open; nor later than some
// minutes after it was made, by the server's clock, so that a command which runs late or again does nothing.
//
// What an answer means ([Run]'s tried, by winerror.h):
//
//   - A token of the user's own SID: the password is right. Under "Guest only" (Microsoft's page "Network access: Sharing and
//     security model for local accounts") Windows lets anybody in, as Guest: so another SID tells nothing.
//   - 1326, ERROR_LOGON_FAILURE, "the user name or password is incorrect": the user is there, so the password is wrong.
//   - 1909 locked out, 1331 disabled, 1793 account expired, 1330 and 1907 password expired or to be changed, 1327 to 1329
//     restricted, 1385 logon type not granted: not told. [MS-SAMR] has a wrong password found before an expired one, and
//     event 4625's page calls the authentication valid for STATUS_ACCOUNT_RESTRICTION; but no page says so of LogonUser and local
//     accounts, and of a locked account the password is not even looked at.
//   - An empty password on the server is not seen: ours is wrong then.
//
// An image made of a prepared server may carry its key along; the servers built from it could then read
// each other's ciphertexts. Delete the container cloudpw before making one; the next preparation makes
// another (certutil -csp "Microsoft Enhanced RSA and AES Cryptographic Provider" -delkey cloudpw).
//
// # Output is hostile
//
// Whoever controls the guest writes its output. It is bounded before it is looked at, parsed strictly, and
// of its text only what a guest cannot know the password for gets into messages: on Windows, where the
// guest sees the clear password, nothing but numbers. A guest that lies about its own password harms
// nobody else.
//
// # Sources
//
// shadow-utils' chpasswd.c (-e and PAM, hash forms); BusyBox's chpasswd; the agents' ways of running a script
// in amazon-ssm-agent's agent/plugins/runscript and tat-agent's src/executor; PowerShell's
// Microsoft.PowerShell.LocalAccounts for InvalidPasswordException; Microsoft's lmerr.h and winerror.h for
// NERR_PasswordTooShort (2245) and ERROR_PASSWORD_RESTRICTION (1325); the crypt form in Ulrich Drepper's
// "Unix crypt using SHA-256 and SHA-512"; Linux-PAM's modules/pam_unix/passverify.c (check_shadow_expiry) and shadow(5) for the
// dates; sshd(8) and sshd_config(5) for -T, -C and the options.
package guest
