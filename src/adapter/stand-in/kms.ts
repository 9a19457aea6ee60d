/** A stand-in for AWS KMS: keys that sign, asked as its JSON protocol 1.1 asks. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { jsonBody, type Loopback, type LoopbackAnswer, startLoopback } from "./loopback.js";

export interface StandInKms extends Pick<Loopback, "url" | "misbehave" | "close"> {
  /** How often something was signed. */
  signed(): number;
}

const KEY_SPECS = { ed25519: "ECC_NIST_EDWARDS25519", rsa: "RSA_2048" } as const;
const DOCUMENT = { "content-type": "application/x-amz-json-1.1" };

type Body = Readonly<Record<string, unknown>>;

interface Key {
  readonly spec: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** @param kinds of keys, by id */
export async function startStandInKms(
  kinds: Readonly<Record<string, keyof typeof KEY_SPECS>>,
): Promise<StandInKms> {
  const keys = new Map<string, Key>();
  /** Made when first asked for: one of RSA takes its time. */
  const find = (id: string): Key | undefined => {
    const kind = Object.hasOwn(kinds, id) ? kinds[id] : undefined;
    if (kind !== undefined && !keys.has(id)) keys.set(id, makeKey(kind));
    return keys.get(id);
  };
  let signed = 0;
  const loopback = await startLoopback((request) => {
    const body = jsonBody(request) ?? {};
    const key = find(String(body.KeyId));
    if (!request.headers.authorization) return refusal("UnrecognizedClientException");
    if (!key) return refusal("NotFoundException");
    switch (request.headers["x-amz-target"]) {
      case "TrentService.GetPublicKey":
        return publicKeyOf(key, body);
      case "TrentService.Sign":
        signed++;
        return signatureOf(key, body);
      default:
        return refusal("UnknownOperationException");
    }
  });
  const { url, misbehave, close } = loopback;
  return { url, misbehave, close, signed: () => signed };
}

function makeKey(kind: keyof typeof KEY_SPECS): Key {
  const pair =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2_048 })
      : generateKeyPairSync("ed25519");
  return { spec: KEY_SPECS[kind], ...pair };
}

function publicKeyOf({ spec, publicKey }: Key, body: Body): LoopbackAnswer {
  const der = publicKey.export({ type: "spki", format: "der" });
  return answer({ KeyId: body.KeyId, KeySpec: spec, PublicKey: der.toString("base64") });
}

function signatureOf({ privateKey }: Key, body: Body): LoopbackAnswer {
  const { Message, MessageType, SigningAlgorithm } = body;
  if (MessageType !== "RAW" || SigningAlgorithm !== "ED25519_SHA_512") {
    return refusal("ValidationException");
  }
  const signature = sign(null, Buffer.from(String(Message), "base64"), privateKey);
  return answer({ KeyId: body.KeyId, SigningAlgorithm, Signature: signature.toString("base64") });
}

function answer(body: Body): LoopbackAnswer {
  return { status: 200, headers: DOCUMENT, body };
}

function refusal(type: string): LoopbackAnswer {
  return { status: 400, headers: DOCUMENT, body: { __type: type, message: type } };
}
