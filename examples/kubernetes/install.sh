#!/bin/sh
# Copies the plugin's file into Vault's plugin_directory, if it has the checksum that is expected.
#
# PLUGIN_SOURCE  the file in the image
# PLUGIN_DIR     Vault's plugin_directory, a volume that Vault's container mounts too
# PLUGIN_FILE    the file's name there; Vault's catalogue has it as the plugin's command
# PLUGIN_SHA256  its checksum, as in PLUGIN_SHA256SUMS of the release
set -eu

: "${PLUGIN_SOURCE:=/plugin/vault-plugin-secrets-cloudpw}" "${PLUGIN_DIR:?}" "${PLUGIN_FILE:?}" "${PLUGIN_SHA256:?}"

# Beside its place, so that Vault never sees half a file.
part=$PLUGIN_DIR/.$PLUGIN_FILE.part
cp "$PLUGIN_SOURCE" "$part"
sum=$(sha256sum "$part" | cut -d ' ' -f 1)
if [ "$sum" != "$PLUGIN_SHA256" ]; then
	rm -f "$part"
	echo "install: $PLUGIN_SOURCE has the checksum $sum and not PLUGIN_SHA256=$PLUGIN_SHA256; nothing was installed" >&2
	exit 1
fi
chmod 0555 "$part"
mv "$part" "$PLUGIN_DIR/$PLUGIN_FILE"
echo "install: $PLUGIN_DIR/$PLUGIN_FILE has the checksum $sum"
