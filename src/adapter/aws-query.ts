/**
 * Services that are asked in AWS's Query protocol and for one call alone: their clients weigh 28 MB. A signed form goes
 * out, XML comes back (docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html).
 */
import { createHash, createHmac } from "node:crypto";
import type { STSClient } from "@aws-sdk/client-sts";
import { SignatureV4 } from "@smithy/signature-v4";
import { type AwsAbout, type AwsGround, record } from "./aws-clients.js";
import { parseXml, textOf, type XmlElement } from "./aws-xml.js";
import { sendHttp } from "./http.js";

/** By the service's prefix of actions: the version of its API. */
const VERSIONS = { ec2: "2016-11-15", iam: "2010-05-08" } as const;
export type QueryService = keyof typeof VERSIONS;

/** As SignatureV4 wants its hash. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(chunk: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(chunk));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("a hash of one use");
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === "string") return Buffer.from(data, "utf8");
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Throws a Fault as `callAws` does. */
export async function sendQuery(
  ground: AwsGround,
  service: QueryService,
  operation: string,
  fields: Readonly<Record<string, string>>,
  about: AwsAbout,
): Promise<XmlElement> {
  const call = { service, operation, keys: Object.keys(fields) };
  return record(ground, call, about, async (signal, { timeoutMs, confirm }) => {
    const form = { Action: operation, Version: VERSIONS[service], ...fields };
    const request = await signed(ground, service, new URLSearchParams(form).toString());
    confirm();
    const response = await sendHttp({ system: "AWS", ...request, timeoutMs, signal });
    const document = parseXml(response.text);
    if (response.status !== 200) throw new QueryError(response.status, document);
    return document;
  });
}

/** Has the shape of the SDK's own errors, so that one place tells what they mean. */
class QueryError extends Error {
  readonly $metadata: { readonly httpStatusCode: number; readonly requestId: string | undefined };

  constructor(httpStatusCode: number, document: XmlElement) {
    // EC2 puts it below Errors, IAM does not.
    const where = textOf(document, "Errors/Error/Code") === undefined ? "Error" : "Errors/Error";
    super(textOf(document, `${where}/Message`) ?? `it answered ${httpStatusCode}`);
    this.name = textOf(document, `${where}/Code`) ?? "QueryError";
    this.$metadata = { httpStatusCode, requestId: textOf(document, "RequestID") };
  }
}

async function signed({ access, clients }: AwsGround, service: QueryService, body: string) {
  const url = new URL(access.endpointUrl ?? addressOf(service, access.region));
  const signer = new SignatureV4({
    ...{ service, region: access.region, sha256: Sha256 },
    // As a client of the SDK has them: found, renewed and kept.
    credentials: (await (clients.get("sts") as Promise<STSClient>)).config.credentials,
  });
  const request = await signer.sign({
    ...{ method: "POST", protocol: url.protocol, hostname: url.hostname, path: "/", query: {} },
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    headers: {
      host: url.host,
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    },
    body,
  });
  const { host: _, ...headers } = request.headers;
  return { method: "POST", url: new URL("/", url).href, headers, body } as const;
}

/** IAM is one for all regions. */
function addressOf(service: QueryService, region: string): string {
  if (service === "iam") return "https://iam.amazonaws.com";
  return `https://${service}.${region}.amazonaws.com`;
}
