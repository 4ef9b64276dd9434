// virtual-core asks a bundler's variable whether it is being debugged. It is not. This must be imported before it.
globalThis.process ??= { env: { NODE_ENV: "production" } };
