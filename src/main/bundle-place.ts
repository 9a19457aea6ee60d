/** Where bundles are found and put: a folder, an object in S3, or the API of a running service. */
import { resolve } from "node:path";
import { createS3Bundles } from "../adapter/aws-s3.js";
import { createPolicyApi } from "../adapter/policy-api.js";
import { fault } from "../base/fault.js";
import { ENVELOPE_BYTES_MAX } from "../policy/envelope.js";
import type { BundleSource } from "../review/port.js";
import { createBundleFolder, isBundleFolder } from "../runtime/bundle-folder.js";
import type { Config } from "../runtime/config.js";
import type { BundlePlace } from "../runtime/publish-bundle.js";

/** Where POLICY_SOURCE finds bundles; null when it is a folder of YAML. */
export async function openBundleSource(config: Config, cwd: string): Promise<BundleSource | null> {
  const { policySource } = config;
  if (policySource.kind === "s3") return openS3(config, policySource, null);
  const folder = resolve(cwd, policySource.path);
  return (await isBundleFolder(folder)) ? createBundleFolder(folder) : null;
}

export interface PlaceOptions {
  readonly cwd: string;
  /** For S3 where AWS_REGION is not set. */
  readonly region: string | null;
  /** An admin's, for the API. */
  readonly token: () => Promise<string>;
}

/** `s3://bucket/key`, `api:https://host`, or a folder. Throws a refused Fault for anything else. */
export async function openBundlePlace(
  to: string,
  config: Config,
  options: PlaceOptions,
): Promise<BundlePlace> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(to) ?? [];
  if (bucket !== undefined && key !== undefined) {
    return openS3(config, { bucket, key }, options.region);
  }
  if (/^api:https?:\/\//.test(to)) {
    const url = to.slice("api:".length).replace(/\/+$/, "");
    return createPolicyApi({ url, token: await options.token(), bytesMax: ENVELOPE_BYTES_MAX });
  }
  if (/^\w+:/.test(to)) {
    throw fault.refused("POLICY_PLACE_UNKNOWN", `cannot publish to "${to}"`, {
      hint: "name a folder, s3://bucket/key, or api:https://host",
    });
  }
  return createBundleFolder(resolve(options.cwd, to));
}

function openS3(
  config: Config,
  at: { readonly bucket: string; readonly key: string },
  region: string | null,
): BundlePlace {
  return createS3Bundles({
    bucket: at.bucket,
    key: at.key,
    region: config.overrides.region ?? region,
    endpointUrl: config.aws.endpointUrl,
    bytesMax: ENVELOPE_BYTES_MAX,
  });
}
