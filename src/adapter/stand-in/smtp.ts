/** A stand-in for a mail server: a real SMTP conversation on loopback (RFC 5321), which can be told to misbehave. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and text as they came, dots unstuffed. */
  readonly data: string;
}

export interface StandInSmtp {
  /** `smtp://user:password@127.0.0.1:port`. */
  readonly url: string;
  readonly received: readonly ReceivedMail[];
  /** The answer to the next command of this name, instead of an honest one; null: none at all. */
  answer(command: string, line: string | null): void;
  close(): Promise<void>;
}

const USER = "ann";
const PASSWORD = "secret";

export async function startStandInSmtp(): Promise<StandInSmtp> {
  const received: ReceivedMail[] = [];
  const wrong = new Map<string, string | null>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    converse(socket, received, wrong);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `smtp://${USER}:${PASSWORD}@127.0.0.1:${port}`,
    received,
    answer: (command, line) => wrong.set(command, line),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function converse(
  socket: Socket,
  received: ReceivedMail[],
  wrong: Map<string, string | null>,
): void {
  let mail = { from: "", to: [] as string[] };
  let data: string[] | null = null;
  const say = (line: string | null) => line !== null && socket.write(`${line}\r\n`);
  const reply = (command: string, honest: string) => {
    const line = wrong.has(command) ? wrong.get(command)! : honest;
    wrong.delete(command);
    say(line);
    return line === honest;
  };
  const takeData = (lines: readonly string[], line: string) => {
    if (line !== ".") return [...lines, line.replace(/^\./, "")];
    if (reply(".", "250 kept")) received.push({ ...mail, data: lines.join("\n") });
    mail = { from: "", to: [] };
    return null;
  };
  const command = (line: string) => {
    const [verb = ""] = line.toUpperCase().split(" ");
    if (verb === "EHLO") reply(verb, "250-loopback\r\n250 AUTH PLAIN");
    else if (verb === "AUTH") reply(verb, isKnown(line) ? "235 welcome" : "535 5.7.8 who are you");
    else if (verb === "MAIL" && reply(verb, "250 ok")) mail.from = addressOf(line);
    else if (verb === "RCPT" && reply(verb, "250 ok")) mail.to.push(addressOf(line));
    else if (verb === "DATA" && reply(verb, "354 go on")) data = [];
    else if (verb === "QUIT") socket.end("221 bye\r\n");
    else if (!["MAIL", "RCPT", "DATA"].includes(verb)) reply(verb, "250 ok");
  };
  let rest = "";
  say("220 loopback");
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString("utf8")).split("\r\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (data === null) command(line);
      else data = takeData(data, line);
    }
  });
}

function isKnown(line: string): boolean {
  const [, , token = ""] = line.split(" ");
  return Buffer.from(token, "base64").toString("utf8") === `\0${USER}\0${PASSWORD}`;
}

function addressOf(line: string): string {
  return /<(.*)>/.exec(line)?.[1] ?? "";
}
