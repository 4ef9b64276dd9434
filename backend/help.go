package backend

// The texts of `vault path-help`.

const rootHelp = `
The cloudpw secrets engine manages the operating-system passwords of cloud
servers. It decrypts the passwords that the cloud generated at first boot, and it
sets, leases and rotates passwords through the cloud's API.

First write a connection (config/), a key (keys/) for initial passwords, and a
role (roles/); then read creds/. An account is one user of one instance of a
connection. accounts/ shows everything about an account except its passwords;
status shows what is due and what fails.

Each path has its own help, such as roles/web.
`

const (
	configListSynopsis    = "List the connections."
	configListDescription = `
Lists the names of the connections. after and limit page through a long list.

  $ vault list cloudpw/config
`
	configSynopsis    = "Manage a connection: one cloud account in one region, with the credentials for it."
	configDescription = `
A write changes only the fields that it names; an empty value unsets a field. A
field that the provider does not use is an error. Besides the fields that every
connection has, the providers use:

%s
Secrets are never read back. To change a field that decides where they are sent, or
on whose behalf, give the secrets in the same write. A delete is refused while roles
use the connection, hosts belong to it, or its accounts have leases.

  $ vault write cloudpw/config/prod provider=aws region=eu-central-1 \
      access_key=AKIAIOSFODNN7EXAMPLE secret_key=@secret-key.txt
  $ vault read cloudpw/config/prod
  $ vault delete cloudpw/config/prod
`

	checkSynopsis    = "Check which permissions a connection's credentials have."
	checkDescription = `
Tries, or asks about, each permission that cloudpw may need, says what it is for,
and gives the policy text that grants the missing ones. It changes nothing. If the
cloud has no way to try a permission, the result is unknown. detailed=true adds the
permissions as data for programs.

  $ vault read cloudpw/check/prod
  $ vault read -field=policy_to_add cloudpw/check/prod
`

	rotateRootSynopsis    = "Replace a connection's own credential with a new one."
	rotateRootDescription = `
Creates a new access key or application credential with the present one, waits
until the cloud accepts it, stores it, and deletes the old one. Only Vault knows
the new secret. It is refused if another connection uses the same credential, which
it would lose. If a step fails or the plugin is killed, the connection keeps a
credential that works. A read of config/<name> then shows the unfinished rotation
in root_rotation; Vault finishes it by itself, or at the next write here.

Such a failure may leave credentials at the cloud. leftover_credentials of
config/<name> lists them as long as the cloud does. Needs sudo.

  $ vault write -f cloudpw/rotate-root/prod
`

	discoverSynopsis    = "List the instances that a connection can see."
	discoverDescription = `
Asks the cloud for all instances that have the connection's required_tags, and
shows name, platform, state, key pair and tags of each in key_info. after and
limit page through a long list; later pages show the state at the first page.

  $ vault list -detailed cloudpw/discover/prod
`

	hostsListSynopsis    = "List the hosts."
	hostsListDescription = `
Lists the names of the hosts, with connection, address and the fingerprint of the
pinned key of each. connection lists those of one connection; after and limit page
through a long list.

  $ vault list cloudpw/hosts
`
	hostsSynopsis    = "Create or update many hosts at once."
	hostsDescription = `
Takes a list of objects with name and the fields of hosts/<name>, at most 1,000. All
are checked before one is written; if one is refused, none is written. A host that
exists is changed in the fields that are named, so that the same list can be written
again. dry_run=true writes nothing and says for each host what would be done.

  $ vault write cloudpw/hosts hosts=@list.json dry_run=true
  $ vault write cloudpw/hosts hosts=@list.json
`
	hostSynopsis    = "Manage a host: a server that no cloud manages, or the host key of one that a cloud does."
	hostDescription = `
With provider=ssh the hosts are the instances of the connection: address, port and
the public host key say which server is meant, tags by which roles find it. On the
connection of a cloud a host has the name of an instance, and only port, host_key and
trust_on_first_use: they are for check_method=ssh.

A server with another key than the pinned one is sent nothing. A pinned key is
changed by host-key/ only, and so are login_user and connection while accounts of the
host exist: otherwise whoever may write hosts could come to passwords. A delete keeps
the key while accounts of the host exist.

A write changes only the fields that it names; an empty value unsets a field.

  $ ssh-keyscan -t ed25519 192.0.2.7 2>/dev/null >web-1.pub
  $ vault write cloudpw/hosts/web-1 connection=dc-1 address=192.0.2.7 \
      host_key=@web-1.pub tags=env=prod
  $ vault read cloudpw/hosts/web-1
  $ vault delete cloudpw/hosts/web-1
`
	hostKeySynopsis    = "Change the pinned key of a host, its login user or its connection."
	hostKeyDescription = `
Whoever has the private half of the pinned key, or is the login user, is given the
passwords that are set on the host. So this path needs sudo. Compare the key with
what the server's own console shows, not with what the network does.

another_server=true says that another server has the name now, such as one that was
installed again: its accounts then count as those of a rebuilt server. A read shows what
is pinned, also of a host that was deleted while accounts of it exist.

  $ vault read cloudpw/host-key/web-1
  $ vault write cloudpw/host-key/web-1 host_key=@web-1.pub
  $ vault write cloudpw/host-key/web-1 host_key=@web-1.pub another_server=true
`

	keysListSynopsis    = "List the keys."
	keysListDescription = `
Lists the names of the private keys. after and limit page through a long list.

  $ vault list cloudpw/keys
`
	keysSynopsis    = "Manage an RSA private key that decrypts initial passwords."
	keysDescription = `
A server encrypts the password of its first boot for the key pair that it was
launched with. Import the private key of this pair with private_key (and
passphrase), or generate a pair here with generate=true and import the
authorized_key of the response into the cloud.

Use the name of the key pair in the cloud, unless the role names its key. A read
returns the public key and its fingerprints, never the private key.

Another private_key for the same name replaces the key. The replaced one is tried
as well for an hour, and for as long as an account of a role waits for an initial
password under that name; earlier_keys shows it. A delete removes all of them.

allowed_connections lists the connections for which the key may decrypt. Without
this limit, anyone who may write a connection and a role of the mount could have
another team's initial passwords decrypted. An empty list means none. The field
can be written without private_key.

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
	rolesSynopsis    = "Manage a role: which instances and which user; how passwords are made, leased and rotated."
	rolesDescription = `
A write changes only the fields that it names; an empty value unsets a field. If
the write selects other instances, or has no fields, it asks the cloud for the
instances, and refuses with the reason if the role cannot work with them. Other
fields are changed without the cloud. An account belongs to one role.

mode=leased answers every read with a lease; when the last lease of a password
ends, the account is rotated in the background. Writing the role resets nothing.
mode=static never gives a lease. Writing the role rotates its accounts if the
provider can reset, unless skip_import_rotation is set.

source=import is for passwords that only people set, on every cloud. Such a role is
static; a read is refused until the password was recorded with import/.

rotation_period or rotation_schedule rotates the accounts of a static role on a
schedule; with rotation_window only within that time after each scheduled time.
rotate_on_read rotates an account when it is read. In a leased role,
rotation_schedule with rotation_window limits when resets may begin.

shared_password=true gives all accounts of the role one password and rotates them
together. If an instance joins, all of them rotate to a new password. If one
leaves, or the role is deleted, each rotates to a password of its own.

On Tencent Cloud, a reset through the API shuts a running server down. force_stop
decides whether this is allowed, and has no default. With it, anyone who may read
and revoke such a role's passwords can reboot the server; min_reset_interval
limits how often.

  $ vault write cloudpw/roles/web connection=prod instance_ids=ins-r8hr2upy \
      force_stop=true ttl=1h max_ttl=8h
  $ vault read cloudpw/roles/web
  $ vault delete cloudpw/roles/web
`

	instancesSynopsis    = "List the instances that a role has now."
	instancesDescription = `
For a role with instance_tags this asks the cloud, and binds new instances. Vault
does the same by itself every ten minutes. With -detailed it shows the servers'
names and addresses, too.

  $ vault list -detailed cloudpw/instances/web
`

	credsRoleSynopsis     = "Read the password of a role's only instance, or the one that its instances share."
	credsInstanceSynopsis = "Read the password of one of a role's instances."
	credsDescription      = `
Reads the current password of a role's account: creds/<role> if the role has one
instance or shared_password, else creds/<role>/<instance_id>. With shared_password,
the first form answers 503 until all accounts have the same password, and the
second returns the password of this one instance.

A role of mode leased answers with a lease. The end of the last lease, by
revocation or expiry, makes the account due, and it is rotated in the background;
the next read gets the new password. 503 means that no password can be handed out
at the moment, and says why; wait=45s waits for it.

The response of a scheduled static role says in ttl when to read again.

  $ vault read cloudpw/creds/web wait=45s
  $ vault read cloudpw/creds/web/ins-r8hr2upy
`

	accountsListDescription = `
An account is one user of one instance of a connection. The list shows the
accounts that Vault has records of, whether or not the instance exists. after and
limit page through a long list.

  $ vault list cloudpw/accounts
  $ vault list cloudpw/accounts/prod
  $ vault list cloudpw/accounts/prod/ins-r8hr2upy
`
	accountMoveSynopsis    = "Let an account move to another role."
	accountMoveDescription = `
Tags alone move no account from one role to another, since a person who may write
tags at the cloud is not always one whom a policy trusts. This write allows the
account to move. If the role's instance_tags match, it moves at once; if not, when
the role is written so that it has the instance. Until then the old role keeps it.

The move ends the account's leases, and a new password is set before a reader of
the new role gets one; on Tencent Cloud with force_stop=true this shuts the server
down. If the role cannot set passwords, a read is refused until you change the
password inside the server and record it with import/.

With connection, the account first moves to another connection of the same cloud
account, with all its versions, and belongs to no role then. This is refused while a
password is being set.

  $ vault write cloudpw/accounts/prod/ins-abcd1234/root/move role=db
  $ vault write cloudpw/accounts/prod/ins-abcd1234/root/move connection=new role=db
`

	takeOverSynopsis    = "Let a role take over the accounts of other roles."
	takeOverDescription = `
Does for many accounts what accounts/.../move does for one: for all that the role
in from has, or had last. Without from, for all that the role's instance_tags
match. Needs sudo.

  $ vault write cloudpw/take-over/db from=web
`

	accountSynopsis    = "Read the state of an account, without its passwords; or forget it."
	accountDescription = `
Shows the versions with their times, the live leases, whether a rotation is due,
since when and why, the attempts of a running rotation, and the last error. If the
account shares its password, group shows the role's shared one.

DELETE forgets the account and its passwords. It is refused while the instance
exists at the cloud, a role is bound to the account, it has leases, or a rotation
is not settled. If the cloud does not show the instance, but does not say that it
is terminated either, repeat the DELETE after five minutes or more: the second
lookup counts. force=true always deletes, even if the cloud cannot be asked.
This can lose a password that the server has; nothing else in this engine can.

  $ vault read cloudpw/accounts/prod/ins-r8hr2upy/ubuntu
  $ vault delete cloudpw/accounts/prod/ins-r8hr2upy/ubuntu
`

	versionsListSynopsis    = "List the versions of an account's password."
	versionsListDescription = `
Lists the numbers of the versions that Vault keeps (see max_versions), oldest
first: the source of each, when it was made, first disclosed and replaced, and
which one is current. It shows no password. Needs sudo.

  $ vault list -detailed cloudpw/versions/prod/ins-r8hr2upy/ubuntu
`
	versionSynopsis    = "Read one version of an account's password."
	versionDescription = `
Use it if a server was restored from a snapshot and has its password of that time
again. The current version of a leased account is handed out only by creds/, under
a lease. Needs sudo.

  $ vault read cloudpw/versions/prod/ins-r8hr2upy/ubuntu/3
`
	versionRestoreSynopsis    = "Record that a server has the password of an older version again."
	versionRestoreDescription = `
Use it if a server was restored from a snapshot. The password becomes a new
version, the current one. This corrects Vault's record and sends nothing to the
server. If the provider can reset, the account is then due, since others may know
the password; with force_stop the rotation shuts the server down.
skip_import_rotation=true skips this rotation. Refused while a rotation is not
settled. Needs sudo.

  $ vault write -f cloudpw/versions/prod/ins-r8hr2upy/ubuntu/3/restore
`

	importSynopsis    = "Record the password that a server has."
	importDescription = `
Use it if a password was changed by hand inside the server, or came with its
image. It becomes a new version, the current one. This corrects Vault's record and
sends nothing to the server. If the provider can reset, the account is then due,
since others know the password; with force_stop the rotation shuts the server
down. skip_import_rotation=true skips this rotation. Refused while a rotation is
not settled. The account must exist: write its role first. Where people set the
passwords (a role with source=import), nothing is rotated, and this is the only way
to a version. Needs sudo.

  $ vault write cloudpw/import/prod/ins-r8hr2upy/ubuntu password=@password.txt
`

	rereadSynopsis    = "Ask the cloud for a server's initial password again."
	rereadDescription = `
Use it if a server was rebuilt under the same id and has told its cloud a new
initial password. That becomes a new version, the current one; the one before is
kept. If the cloud has the same one as before, there is no new version (changed
is false). It changes nothing in the cloud or the server; a role with
clear_initial then has the cloud's copy deleted, as after a first read. Only for
roles with source=initial: a password that was set or recorded since is never
replaced. Refused while a rotation is due or not settled. Needs sudo.

  $ vault write -f cloudpw/reread/prod/05184ba3-00ba-4fbc-b7a2-03b62b884931/Administrator
`

	rotateRoleSynopsis     = "Rotate the passwords of a role now."
	rotateInstanceSynopsis = "Rotate the password of one of a role's instances now."
	rotateRoleDescription  = `
Marks the role's accounts due, all of them or that of one instance, and answers
with their state. The rotation runs in the background; wait=45s waits for its
end. Refused if the provider cannot reset passwords. Accounts that share their
password can only be rotated together.

  $ vault write cloudpw/rotate-role/web wait=45s
  $ vault write -f cloudpw/rotate-role/web/ins-r8hr2upy
`

	rotateConnectionSynopsis    = "Rotate the passwords of all accounts of a connection now."
	rotateConnectionDescription = `
Marks every account of the connection due, beginning with those whose password
someone knows, and answers with their number. The rotations run in the
background, within the connection's rate limit; see status. Use it after Vault was
restored from an older backup, whose passwords the servers may no longer have.
Needs sudo: with force_stop it may shut down every server of the connection.

  $ vault write -f cloudpw/rotate-connection/prod
`

	rotateReaderSynopsis    = "Rotate the passwords that somebody was given."
	rotateReaderDescription = `
Marks every account due whose current password was given to an entity
(entity_id) or to tokens with a display name (display_name), and answers with
their number. Use it when somebody leaves, after their access to Vault has
ended. An account whose password was also given to more readers than are kept
by name is rotated as well, and counted apart. With dry_run=true nothing is
rotated, and the answer names the accounts. The rotations run in the
background, within the connections' rate limits; see status. Needs sudo: with
force_stop it may shut down servers.

  $ vault write cloudpw/rotate-reader entity_id=<id> dry_run=true
  $ vault write cloudpw/rotate-reader entity_id=<id>
`

	campaignsListSynopsis = "List the last 100 orders over many accounts, and how far each has come."
	campaignSynopsis      = "See how far an order over many accounts has come, wait for its end, or forget it."
	campaignsDescription  = `
rotate-role/<role>, rotate-connection/, rotate-reader, verify/<role> and
verify-connection/ answer with the id of a campaign. It tells how many accounts
are done, fail, wait, or were skipped, why they fail, and how long the rest will
take. It is kept over restarts, and ends when every account is done or skipped.
The last 100 campaigns are kept; those that have ended go first.

A delete forgets a campaign. Accounts for which nothing was ordered yet are left
as they are; those that are due stay so.

  $ vault list -detailed cloudpw/campaigns
  $ vault read cloudpw/campaigns/mfzwizdj wait=45s
  $ vault delete cloudpw/campaigns/mfzwizdj
`

	verifyInstanceSynopsis   = "Check whether a server still has the password that Vault hands out."
	verifyRoleSynopsis       = "Check the passwords of all servers of a role."
	verifyConnectionSynopsis = "Check the passwords of all servers of a connection."
	verifyDescription        = `
Has a read-only command run on the server, which shows the password's hash in a
form that is of no use to others, and compares it with every password that Vault
has of the account. Nothing on the server changes. On Windows, which shows no
hash, the command tries the current password once (experimental). What it found
stands in accounts/: matches, matches_version (the server has an older password,
as after the restore of a snapshot), differs, locked, disabled, expired,
login_off, no_password, no_user, or unknown with the reason. A password that the server does not have is
no longer handed out. drift_action says what to do about it, for this time:
report, restore (record the older version as the current one) or rotate. Checks
run in the background, behind all rotations, at most one a minute for an account;
on Windows one in 10 minutes, and an order before that is refused.
The role needs a check_method. For a whole connection this needs sudo.

  $ vault write -f cloudpw/verify/web/ins-r8hr2upy wait=30s
  $ vault write -f cloudpw/verify/web
  $ vault write cloudpw/verify-connection/prod drift_action=rotate
`

	placeSynopsis    = "Show where a connection's requests go, and confirm that this is the cloud of its servers."
	placeDescription = `
A password is made for one place: the hosts that get a connection's requests, its
region and project, and the account of the cloud. If a connection is changed to
another place, a pending password is not sent there. What the new place says about
existing servers (that one is gone, its initial password, its addresses) is not
trusted until the place is proven to be the same account of the cloud. An
overridden endpoint proves nothing. A read shows the places by their fingerprints.
Check config/, then write trust= to confirm that the present place is right.
forget= drops the passwords of a place that no longer exists. Needs sudo.

  $ vault read cloudpw/place/prod
  $ vault write cloudpw/place/prod trust=6f1d0c2b9a7e4d35
`

	statusSynopsis    = "Read the state of the mount: accounts, rotations, conflicts and connections."
	statusDescription = `
Shows the number of accounts by state, what is due and since when, and a summary
for people: whether each connection works, why accounts fail, how many have drifted,
the roles, those whose instances could not be looked up, and conflicts. detailed=true
adds the same as data for programs. It calls no cloud.

  $ vault read cloudpw/status
  $ vault read -format=json cloudpw/status detailed=true
`

	reportSynopsis    = "Find accounts of all connections: old passwords, what is due, what fails."
	reportDescription = `
Shows the accounts that all given filters match, sorted by name, with address, role,
state, age of the password, why a rotation is due and what it waits for, the last
error, the leases with their holders and what the last check found. It shows no password
and calls no cloud. A long report comes in pages: limit, and after with the value of next.

  $ vault read -format=json cloudpw/report connection=prod older_than=720h
  $ vault read -field=csv cloudpw/report failing=true format=csv
  $ vault read -field=csv cloudpw/report drifted=true format=csv
  $ vault read -field=csv cloudpw/report server=10.0.0.7 format=csv
  $ vault read -field=csv cloudpw/report holder=userpass-alice format=csv
`

	metricsSynopsis    = "Read the metrics of the mount, as OpenMetrics text."
	metricsDescription = `
Returns counters of rotations, disclosures and cloud requests, and gauges of accounts,
due rotations and connections, for Prometheus and other monitoring systems. Counters begin
at zero when the plugin starts. The answer is text and no JSON:

  $ vault read -format=raw cloudpw/metrics
  $ curl --header "X-Vault-Token: $VAULT_TOKEN" "$VAULT_ADDR/v1/cloudpw/metrics"
`
)
