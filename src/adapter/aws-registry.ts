/** The registry of images in AWS (ECR), for who builds them: a password for an hour, and whether a tag is taken. */
import type { ECRClient } from "@aws-sdk/client-ecr";
import { fault } from "../base/fault.js";
import { SecretText } from "../base/secret-text.js";
import { callAws, nameOf } from "./aws-faults.js";

const TIMEOUT_MS = 15_000;

export interface RegistryOptions {
  readonly region: string;
  /** Null: AWS's own. */
  readonly endpointUrl: string | null;
  readonly timeoutMs?: number;
}

export interface RegistryLogin {
  /** `123456789012.dkr.ecr.us-east-1.amazonaws.com`. */
  readonly host: string;
  readonly user: string;
  /** Good for twelve hours, for every repository that these credentials may reach. */
  readonly password: SecretText;
}

export interface ImageRegistry {
  login(signal: AbortSignal): Promise<RegistryLogin>;
  /** Its digest; null: there is no such image yet. Throws a refused Fault when there is no such repository. */
  digestOf(repository: string, tag: string, signal: AbortSignal): Promise<string | null>;
}

export function createImageRegistry(options: RegistryOptions): ImageRegistry {
  const { region, endpointUrl, timeoutMs = TIMEOUT_MS } = options;
  let client: ECRClient | null = null;
  const open = async () => {
    const { ECRClient } = await import("@aws-sdk/client-ecr");
    client ??= new ECRClient({
      region,
      ...(endpointUrl === null ? {} : { endpoint: endpointUrl }),
    });
    return client;
  };
  const callOf = (subject: string, action: string, signal: AbortSignal) =>
    ({ system: "AWS", subject, action, timeoutMs, signal, isSecret: true }) as const;
  return {
    login: (signal) =>
      callAws(callOf("the registry", "ecr:GetAuthorizationToken", signal), async (abortSignal) =>
        readLogin(await open(), abortSignal),
      ),
    digestOf: (repository, tag, signal) =>
      callAws(callOf(repository, "ecr:DescribeImages", signal), async (abortSignal) =>
        readDigest(await open(), { repository, tag }, abortSignal),
      ),
  };
}

async function readLogin(client: ECRClient, abortSignal: AbortSignal): Promise<RegistryLogin> {
  const { GetAuthorizationTokenCommand } = await import("@aws-sdk/client-ecr");
  const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}), {
    abortSignal,
  });
  const [data] = authorizationData ?? [];
  // `user:password` in base64, as HTTP's own basic authorization is.
  const [user, password] = Buffer.from(data?.authorizationToken ?? "", "base64")
    .toString("utf8")
    .split(":", 2);
  const host = data?.proxyEndpoint?.replace(/^https?:\/\//, "");
  if (user !== undefined && password !== undefined && host !== undefined)
    return { host, user, password: new SecretText(password) };
  throw fault.data("REGISTRY_ANSWER_INVALID", "the registry gave no password to log in with");
}

async function readDigest(
  client: ECRClient,
  { repository, tag }: { readonly repository: string; readonly tag: string },
  abortSignal: AbortSignal,
): Promise<string | null> {
  const { DescribeImagesCommand } = await import("@aws-sdk/client-ecr");
  const command = new DescribeImagesCommand({
    repositoryName: repository,
    imageIds: [{ imageTag: tag }],
  });
  try {
    const { imageDetails } = await client.send(command, { abortSignal });
    return imageDetails?.[0]?.imageDigest ?? null;
  } catch (error) {
    if (nameOf(error) === "ImageNotFoundException") return null;
    throw error;
  }
}
