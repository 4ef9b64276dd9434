// Reads cloudpw's PowerShell scripts with a grammar of PowerShell. Without a Windows they cannot be run; this shows
// that they are PowerShell.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Language, Parser } from "web-tree-sitter";
import { environment, test } from "./tap.mjs";

const { SCRIPTS } = environment("SCRIPTS");
const { resolve } = createRequire(import.meta.url);
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(resolve("tree-sitter-powershell/tree-sitter-powershell.wasm")));

/** faults returns the lines where the grammar finds something wrong or missing. */
function faults(text) {
  const lines = [];
  const visit = (node) => {
    if (node.isError || node.isMissing) lines.push(node.startPosition.row + 1);
    node.children.forEach(visit);
  };
  visit(parser.parse(text).rootNode);
  return lines;
}

for (const name of ["windows_prepare.ps1", "windows_set.ps1", "windows_check.ps1"]) {
  const text = readFileSync(join(SCRIPTS, name), "utf8");
  await test(`${name} is PowerShell`, () => {
    const lines = faults(text);
    if (lines.length > 0) throw new Error(`syntax errors in lines ${lines.join(", ")}`);
  });
  await test(`${name} with a brace missing is no PowerShell`, () => {
    if (faults(text.replace("try {", "try")).length === 0) throw new Error("the grammar finds nothing wrong");
  });
}
