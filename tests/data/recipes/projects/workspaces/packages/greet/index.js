module.exports = `hello, ${require("ms")(60000)}\n`;
