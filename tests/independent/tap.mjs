// What the Node.js scripts here share: results in the form of the Test Anything Protocol.

let number = 0;

/** environment returns the named variables and ends the program if one is missing. */
export function environment(...names) {
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length > 0) {
    console.error(`${missing.join(", ")} not set: run tests/independent/run.sh`);
    process.exit(2);
  }
  return process.env;
}

/** test runs one check and prints its result; a failed one makes the program's exit status 1. */
export async function test(name, check) {
  number += 1;
  try {
    await check();
    console.log(`ok ${number} - ${name}`);
  } catch (error) {
    console.log(`not ok ${number} - ${name}`);
    console.log(`# ${String(error?.message ?? error).replaceAll("\n", "\n# ")}`);
    process.exitCode = 1;
  }
}

/** fails requires that a call fails with an error code: exactly a string, or what a regular expression matches. */
export async function fails(code, call) {
  let answer;
  try {
    answer = await call;
  } catch (error) {
    const got = error?.code ?? error?.errorCode ?? "";
    if (code instanceof RegExp ? code.test(got) : code === got) return;
    throw new Error(`wanted error code ${code}, got ${got}: ${error?.message}`);
  }
  throw new Error(`wanted error code ${code}, got the answer ${JSON.stringify(answer)}`);
}
