// What only development needs is there while this runs.
const fs = require("node:fs");
require("mri");
fs.mkdirSync("dist", { recursive: true });
fs.copyFileSync("server.js", "dist/server.js");
