const http = require("node:http");
const greeting = require("greet");

const server = http.createServer((_, response) => response.end(greeting)).listen(process.env.PORT);
process.on("SIGTERM", () => server.close());
