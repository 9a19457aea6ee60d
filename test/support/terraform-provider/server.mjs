/**
 * A test double of the AWS provider: a program that Terraform starts and speaks to in its plugin protocol 5, gRPC
 * over HTTP/2. It is not AWS: it keeps what is applied in a file (estate.mjs), and knows of AWS only the schema and
 * two small tables.
 *
 *   STANDIN_FACTS   JSON file: schema, identities, replaces, logDays
 *   STANDIN_ESTATE  JSON file: what exists; made when absent
 *
 * The handshake is that of hashicorp/go-plugin: one line on stdout, `core|protocol|network|address|grpc`. Without the
 * sixth field there is no TLS, to which Terraform agrees with TF_DISABLE_PLUGIN_TLS=1, its switch for such tests.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http2";
import { makeProvider } from "./provider.mjs";
import { decodeMessage } from "./wire.mjs";

const OK = 0;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
/** Of every gRPC message: one byte "not compressed", four bytes length. */
const PREFIX_BYTES = 5;

const SERVICE = "/tfplugin5.Provider/";
const SHUTDOWN = "/plugin.GRPCController/Shutdown";

if (process.env.PLUGIN_CLIENT_CERT) {
  console.error(
    "the stand-in provider speaks no TLS: start terraform with TF_DISABLE_PLUGIN_TLS=1",
  );
  process.exit(1);
}
const { STANDIN_FACTS, STANDIN_ESTATE } = process.env;
if (!STANDIN_FACTS || !STANDIN_ESTATE) {
  console.error(
    "the stand-in provider needs STANDIN_FACTS and STANDIN_ESTATE, the paths of two files",
  );
  process.exit(1);
}

const provider = makeProvider(JSON.parse(readFileSync(STANDIN_FACTS, "utf8")), STANDIN_ESTATE);
const server = createServer();
server.on("stream", (stream, headers) => {
  /** @type {Buffer[]} */
  const chunks = [];
  // A call that Terraform gives up is its own business.
  stream.on("error", () => {});
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.on("end", () => answer(stream, String(headers[":path"]), Buffer.concat(chunks)));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("listens on no port");
  console.log(`1|5|tcp|127.0.0.1:${address.port}|grpc`);
});

// As every provider of go-plugin: Ctrl-C reaches the whole group, and how to end is Terraform's to say.
process.on("SIGINT", () => {});

// A Terraform that was killed says no goodbye: its one connection ends, and with it this program.
server.on("session", (session) => session.on("close", () => process.exit(0)));

/** @param {import("node:http2").ServerHttp2Stream} stream @param {string} path @param {Buffer} body */
async function answer(stream, path, body) {
  if (path === SHUTDOWN) {
    stream.on("close", () => process.exit(0));
    return reply(stream, Buffer.alloc(0));
  }
  const call = path.startsWith(SERVICE) ? provider[path.slice(SERVICE.length)] : undefined;
  if (call === undefined) return refuse(stream, UNIMPLEMENTED, `${path} is not served`);
  try {
    const message = await call(decodeMessage(body.subarray(PREFIX_BYTES)));
    // Whoever asked may have been killed meanwhile.
    if (!stream.destroyed) reply(stream, message);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    console.error(`${path}: ${text}`);
    refuse(stream, INTERNAL, `${path}: ${text}`);
  }
}

/** @param {import("node:http2").ServerHttp2Stream} stream @param {Buffer} message */
function reply(stream, message) {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(OK) }));
  stream.end(Buffer.concat([prefix, message]));
}

/** @param {import("node:http2").ServerHttp2Stream} stream @param {number} code @param {string} text */
function refuse(stream, code, text) {
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc",
      "grpc-status": String(code),
      "grpc-message": encodeURIComponent(text),
    },
    { endStream: true },
  );
}
