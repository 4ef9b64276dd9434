// Package password makes, checks and decrypts the operating-system passwords of
// cloud servers. It is pure: it knows no network, no storage and no Vault.
//
//   - [Rules] describes a cloud's complexity rules as data. The rules of each
//     cloud are kept by its provider; this package has none of its own beyond the
//     checks that apply everywhere.
//   - [Generate] makes a password that satisfies given rules.
//   - [ParsePrivateKey] and [GeneratePrivateKey] produce the RSA keys under which
//     clouds encrypt initial passwords; [PrivateKey.Fingerprints] prints such a
//     key the way clouds name it.
//   - [DecryptInitial] decrypts an initial password. Its ciphertext is written by
//     the guest and is treated as hostile.
//
// No error of this package contains a password, a passphrase, a private key, or
// any part of one.
package password
