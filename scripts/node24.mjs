// Stops an npm script on a Node that is too old, and says the remedy. Plain JavaScript: it must run on any Node.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  console.error(
    `antiphon needs Node 24.12 or newer; this is ${process.versions.node} (${process.execPath}).\n` +
      "Remedy: run `npm ci` (it brings Node 24 as the devDependency `node`; its install script must be allowed) or install Node 24.",
  );
  process.exit(1);
}
