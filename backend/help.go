package backend

// The texts of `vault path-help`.

const rootHelp = `
The cloudpw secrets engine hands out the operating-system passwords of cloud
servers: those that the cloud generated at first boot, decrypted, and those that
it sets itself through the cloud, leases and rotates.

Write a connection (config/), for initial passwords a key (keys/), a role
(roles/), then read creds/. An account is what has a password: a user of an
instance of a connection; accounts/ shows everything about one but its passwords,
status what is due and what fails.

Each path has a help of its own, such as that of roles/web.
`

const (
	configListSynopsis    = "List the connections."
	configListDescription = `
Lists the names of the connections. after and limit page through a long list.

  $ vault list cloudpw/config
`
	configSynopsis    = "Manage a connection: one cloud account in one region and the credentials for it."
	configDescription = `
A write changes only the fields that it names; an empty value unsets a field. A
field that the provider does not use is an error.

  aws               region, and access_key, secret_key or
                    use_ambient_credentials; role_arn, external_id
  tencentcloud      as aws
  huaweicloud       region, project_id, access_key, secret_key
  opentelekomcloud  region, and either project_id, access_key, secret_key
                    or username, password, user_domain_name and project_id or
                    project_name
  openstack         auth_url, region, and either application_credential_id,
                    application_credential_secret or username, password,
                    user_domain_name and project_id or project_name

Secrets are never read back. A change of endpoints, auth_url or ca_certificate
decides where they are sent, so it needs them in the same write. A delete is
refused while roles use the connection or its accounts have leases.

  $ vault write cloudpw/config/prod provider=aws region=eu-central-1 \
      access_key=AKIAIOSFODNN7EXAMPLE secret_key=@secret-key.txt
  $ vault read cloudpw/config/prod
  $ vault delete cloudpw/config/prod
`

	checkSynopsis    = "Check what a connection's credentials may do."
	checkDescription = `
Tries, or asks about, each permission that cloudpw may need, says what it is for,
and gives the policy text that grants what is missing. It changes nothing. What
the cloud offers no way to try is unknown.

  $ vault read -format=json cloudpw/check/prod
`

	rotateRootSynopsis    = "Replace a connection's own credential by a new one."
	rotateRootDescription = `
Makes another access key or application credential with the present one, waits
until the cloud accepts it, stores it, and deletes the old one. Nobody but Vault
knows the new secret. If something fails or the plugin is killed on the way, the
connection keeps a credential that works; a read of config/<name> then shows what
is unfinished in root_rotation, and Vault finishes it by itself, or at the next
write here.

Credentials that such a failure may have left behind at the cloud are listed in
leftover_credentials of config/<name> until the cloud does not list them any more.
Needs sudo.

  $ vault write -f cloudpw/rotate-root/prod
`

	discoverSynopsis    = "List the instances that a connection can see."
	discoverDescription = `
Asks the cloud for all instances that carry the connection's required_tags, and
shows name, platform, state, key pair and tags of each in key_info. after and
limit page through a long list; further pages show the state of the first.

  $ vault list -detailed cloudpw/discover/prod
`

	keysListSynopsis    = "List the keys."
	keysListDescription = `
Lists the names of the private keys. after and limit page through a long list.

  $ vault list cloudpw/keys
`
	keysSynopsis    = "Manage an RSA private key that decrypts initial passwords."
	keysDescription = `
Clouds encrypt the password that a server makes at its first boot under the key
pair that the server was launched with. Import its private half with private_key
(and passphrase), or let generate=true make a pair here and import the
authorized_key of the answer into the cloud.

The name is that of the key pair in the cloud, unless the role names its key. A
read returns the public half and its fingerprints, never the private key.

Another private_key for the same name replaces the key. The replaced one is tried
as well for an hour, and for as long as an account of a role waits for an initial
password under that name; earlier_keys shows it. A delete forgets all of them.

allowed_connections says for which connections the key decrypts anything: else
whoever may write a connection and a role of the mount could have another team's
initial passwords decrypted. An empty list means none. It can be written alone.

  $ vault write cloudpw/keys/ops-2026 private_key=@ops-2026.pem
  $ vault write -field=authorized_key cloudpw/keys/made generate=true
  $ vault write cloudpw/keys/ops-2026 allowed_connections=prod,prod-*
  $ vault read cloudpw/keys/made
  $ vault delete cloudpw/keys/ops-2026
`

	rolesListSynopsis    = "List the roles."
	rolesListDescription = `
Lists the names of the roles. after and limit page through a long list.

  $ vault list cloudpw/roles
`
	rolesSynopsis    = "Manage a role: which instances, which user, and how passwords are made, leased and rotated."
	rolesDescription = `
A write changes only the fields that it names; an empty value unsets a field. A
new selection of instances, or a write without fields, asks the cloud for them and
refuses, with the reason, what cannot work. All else is changed without the cloud.
An account belongs to one role.

mode=leased answers every read with a lease; when the last lease of a password
ends, the account is rotated in the background. Writing the role resets nothing.
mode=static never gives a lease; writing the role rotates its accounts where the
provider can reset, unless skip_import_rotation is set.

rotation_period or rotation_schedule rotates the accounts of a static role on a
schedule, with rotation_window only for that long after each time, and
rotate_on_read when one is read. In a leased role rotation_schedule with
rotation_window limits when resets may begin.

shared_password=true gives all accounts of the role one password, which is rotated
on all of them together. An instance that joins is given it; one that leaves is
rotated to a password of its own, and so are all when the role is deleted.

On Tencent Cloud the reset of a running server through the API shuts it down.
force_stop decides whether that is allowed and has no default. Who may read and revoke such a
role's passwords may reboot the server; min_reset_interval bounds how often.

  $ vault write cloudpw/roles/web connection=prod instance_ids=ins-r8hr2upy \
      force_stop=true ttl=1h max_ttl=8h
  $ vault read cloudpw/roles/web
  $ vault delete cloudpw/roles/web
`

	instancesSynopsis    = "List the instances that a role means now."
	instancesDescription = `
For a role with instance_tags this asks the cloud, binds what has come and
unbinds what has left. Vault does the same by itself every ten minutes.

  $ vault list -detailed cloudpw/instances/web
`

	credsRoleSynopsis     = "Read the password of a role's only instance, or the one that its instances share."
	credsInstanceSynopsis = "Read the password of one of a role's instances."
	credsDescription      = `
Reads the current password of a role's account: creds/<role> where the role has
one instance or shared_password, else creds/<role>/<instance_id>. With
shared_password the first form waits until all accounts agree, and the second
gives the password that this very instance has.

A role of mode leased answers with a lease. Its end, by revocation or expiry,
makes the account due, and it is rotated in the background; the next read gets
the new password. 503 means that there is no password to hand out at the moment
and says why; wait=45s waits for it.

The answer of a scheduled static role tells in ttl when to read again.

  $ vault read cloudpw/creds/web wait=45s
  $ vault read cloudpw/creds/web/ins-r8hr2upy
`

	accountsListDescription = `
An account is what has a password: a user of an instance of a connection. The
list shows what Vault has records of, whether the instance exists or not. after
and limit page through a long list.

  $ vault list cloudpw/accounts
  $ vault list cloudpw/accounts/prod
  $ vault list cloudpw/accounts/prod/ins-r8hr2upy
`
	accountMoveSynopsis    = "Let an account move to another role."
	accountMoveDescription = `
Tags alone move no account from one role to another: whoever may write a tag at
the cloud need not be one whom a policy trusts. This write is the word that the
account may move. It moves at once where the role's instance_tags match, else
when the role is written so that it has the instance; until then the role that
has it keeps it.

With the move its leases end, and a new password is set before a reader of the
new role is given one: on Tencent Cloud with force_stop=true that shuts the
server down. Where the role cannot have a password set, a read is refused until
one that was changed inside the server is recorded with import/.

Moves stay within one connection.

    $ vault write cloudpw/accounts/prod/ins-abcd1234/root/move role=db
`

	takeOverSynopsis    = "Let a role take over the accounts of other roles."
	takeOverDescription = `
Does for many accounts what accounts/.../move does for one: for all that another
role has, or had last, or, without from, for all that the role's instance_tags
match. Needs sudo.

    $ vault write cloudpw/take-over/db from=web
`

	accountSynopsis    = "Read the state of an account: everything but its passwords; or forget it."
	accountDescription = `
Shows the versions with their times, the live leases, whether a rotation is due,
since when and why, the attempts of a rotation under way, and the last error. An
account that shares its password shows that of its role in group.

DELETE forgets the account and its passwords. It is refused while the instance
exists at the cloud, a role is bound to the account, it has leases, or a rotation
is not settled. An instance that the cloud does not show, without saying that it is
terminated, is believed not to exist if a second look, five minutes or more after
the first, does not find it either: repeat the DELETE then. force=true deletes all the same, and also where the cloud cannot be
asked: a password that the server has may be lost by that, which this engine does
nowhere else.

  $ vault read cloudpw/accounts/prod/ins-r8hr2upy/ubuntu
  $ vault delete cloudpw/accounts/prod/ins-r8hr2upy/ubuntu
`

	versionsListSynopsis    = "List the versions of an account's password."
	versionsListDescription = `
Lists the numbers of the versions that Vault keeps (see max_versions), oldest
first: where each comes from, when it was made, first disclosed and replaced, and
which is the current one. It shows no password. Needs sudo.

  $ vault list -detailed cloudpw/versions/prod/ins-r8hr2upy/ubuntu
`
	versionSynopsis    = "Read one version of an account's password."
	versionDescription = `
For a server that was restored from a snapshot, and has the password of that time
again. The current version of a leased account is handed out under a lease only, by
creds/. Needs sudo.

  $ vault read cloudpw/versions/prod/ins-r8hr2upy/ubuntu/3
`
	versionRestoreSynopsis    = "Record that a server has the password of an older version again."
	versionRestoreDescription = `
For a server that was restored from a snapshot. The password becomes a new version,
the current one. It corrects Vault's record and sends nothing to the server. Where
the provider can reset, the account is due by that, since others may know the
password; with force_stop the rotation shuts the server down.
skip_import_rotation=true leaves the password alone. Refused while a rotation is
not settled. Needs sudo.

  $ vault write -f cloudpw/versions/prod/ins-r8hr2upy/ubuntu/3/restore
`

	importSynopsis    = "Record the password that a server has."
	importDescription = `
For a password that was changed by hand inside the server, or an initial one that
its image had already. It becomes a new version, the current one. This corrects
Vault's record and sends nothing to the server. Where the provider can reset, the
account is due by that, since others know the password; with force_stop the
rotation shuts the server down. skip_import_rotation=true leaves the password
alone. Refused while a rotation is not settled. The account must exist: write its
role first. Needs sudo.

  $ vault write cloudpw/import/prod/ins-r8hr2upy/ubuntu password=@password.txt
`

	rotateRoleSynopsis     = "Rotate the passwords of a role now."
	rotateInstanceSynopsis = "Rotate the password of one of a role's instances now."
	rotateRoleDescription  = `
Marks the accounts due, all of the role's or that of one instance, and answers
with their state. The rotation runs in the background; wait=45s waits for its
end. Refused where the provider cannot reset passwords. Accounts that share their
password are rotated together only.

  $ vault write cloudpw/rotate-role/web wait=45s
  $ vault write -f cloudpw/rotate-role/web/ins-r8hr2upy
`

	rotateConnectionSynopsis    = "Rotate the passwords of all accounts of a connection now."
	rotateConnectionDescription = `
Marks every account of the connection due, those first whose password somebody
knows, and answers with their number. The rotations run in the background, within
the connection's rate limit; see status. For use after Vault was restored from an
older backup, whose passwords the servers may not have any more. Needs sudo: with
force_stop it may shut down every server of the connection.

  $ vault write -f cloudpw/rotate-connection/prod
`

	placeSynopsis    = "Where a connection leads, and an operator's word that this is the cloud of its servers."
	placeDescription = `
A password is made for one place: the hosts that a connection's requests go to, its
region and project, and the account of the cloud. Where a connection is led
elsewhere, a password under way is not sent there, and what the new place says about
existing servers (that one is gone, its initial password, its addresses) is not
believed before it is proven to be the same account of the cloud. An overridden
endpoint proves nothing. Reading shows the places by their fingerprints, and writing
trust= says that the present one is right: look at config/ first. forget= drops the
passwords of a place that does not exist any more. Needs sudo.

  $ vault read cloudpw/place/prod
  $ vault write cloudpw/place/prod trust=6f1d0c2b9a7e4d35
`

	statusSynopsis    = "Read the state of the mount: accounts, rotations, conflicts and connections."
	statusDescription = `
Shows the number of accounts by state, what is due and since when, the accounts
whose rotation fails and why, the roles whose instances could not be looked at, the
instances that roles were not bound to, and for each connection its limiter and
whether its cloud answers. It asks no cloud.

  $ vault read -format=json cloudpw/status
`
)
