// Package guest sets operating-system passwords by commands that a cloud's agent runs inside the server (AWS
// Systems Manager, Tencent's TAT). It makes the scripts, judges their results, and implements what all such reset
// methods share ([Resetter]). It knows no cloud: a provider supplies a [Service], which sends a [Command], asks for its
// progress, and states its limits.
//
// The password is the caller's own, so a command may be repeated: it sets the same value again. A clear
// password never appears in a command, which clouds keep in their histories, in its
// output, or in the arguments of a process.
//
// # Linux
//
// The plugin makes a salted SHA-512 crypt hash ([Linux]), and the script feeds it to chpasswd -e on
// standard input, by a printf that is built into dash, bash and BusyBox's shell. What that means:
//
//   - It needs root, and chpasswd in the agent's PATH; shadow-utils and BusyBox have one. There is no
//     fallback to usermod -p: it takes the hash as an argument, which every process of the server can
//     see, and where there is a usermod there is a chpasswd.
//   - chpasswd -e writes the account's entry in /etc/shadow and asks no PAM module (shadow's chpasswd.c
//     skips PAM for -e), so password rules and histories of the server do not apply: the role's
//     password_policy does.
//   - The account must be local. One from a directory (LDAP, SSSD) is known to id and not to chpasswd,
//     which then fails.
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
// The script has the user's name in base64 of UTF-16: agents save it without a byte order mark, and Windows
// PowerShell reads such a file in the code page of the server. The built-in administrator, whose name is that of
// the server's language, is found by its SID where [cloud.BuiltinAdministrator] is asked for.
//
// The padding is RSA-OAEP with SHA-1, since RSACryptoServiceProvider, which .NET has in every version and
// which reaches keys of the machine key store, knows no other OAEP. That is sound: OAEP needs its hash to
// behave like a random function and not to resist collisions, which is where SHA-1 is broken. Under
// GODEBUG=fips140=only Go refuses SHA-1 here, too, and [WindowsSet] fails with an error that says so.
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
// "Unix crypt using SHA-256 and SHA-512".
package guest
