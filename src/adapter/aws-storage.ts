/** Objects in S3 for runbooks, and images in ECR. */
import { readFile, stat } from "node:fs/promises";
import { Fault, fault } from "../base/fault.js";
import type { AwsReader, AwsWriter } from "../runbook/aws-port.js";
import { type AwsGround, pages, send } from "./aws-clients.js";

/** Of a frontend's file; it is held in memory while it is sent. */
const FILE_BYTES_MAX = 50_000_000;
/** DeleteObjects takes no more at once. */
const KEYS_MAX = 1_000;

type Asked<Verb extends keyof AwsWriter> = Parameters<AwsWriter[Verb]>[0];

export function createStorage(
  ground: AwsGround,
): Pick<AwsReader, "objects" | "image"> & Pick<AwsWriter, "putObjects" | "deleteObjects"> {
  return {
    objects: (bucket, prefix, max) => listObjects(ground, bucket, prefix, max),
    image: (repository, tag) => findImage(ground, repository, tag),
    putObjects: (request) => putObjects(ground, request),
    deleteObjects: (request) => deleteObjects(ground, request),
  };
}

async function listObjects(ground: AwsGround, Bucket: string, Prefix: string, max: number) {
  const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
  const objects = await pages(
    (ContinuationToken) =>
      send(
        ground,
        "s3",
        new ListObjectsV2Command({
          ...{ Bucket, Prefix, MaxKeys: Math.min(max, 1_000) },
          ...(ContinuationToken && { ContinuationToken }),
        }),
        { target: `${Bucket}/${Prefix}` },
      ),
    ({ Contents, NextContinuationToken }) => ({ items: Contents, next: NextContinuationToken }),
    max,
  );
  return objects.map(({ Key = "", Size = 0, LastModified = new Date(0) }) => ({
    ...{ key: Key, bytes: Size, at: LastModified },
  }));
}

/** One after the other, in the order that was asked for: what points to others comes last. */
async function putObjects(ground: AwsGround, { bucket, files }: Asked<"putObjects">) {
  const { PutObjectCommand } = await import("@aws-sdk/client-s3");
  for (const { key, path, cache, type } of files) {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX)
      throw fault.data(
        "AWS_FILE_TOO_LARGE",
        `${path}: found ${size} bytes, expected at most ${FILE_BYTES_MAX}`,
      );
    const command = new PutObjectCommand({
      ...{ Bucket: bucket, Key: key, CacheControl: cache, ContentType: type },
      Body: await readFile(path),
    });
    await send(ground, "s3", command, { target: `${bucket}/${key}` });
  }
  return files.length;
}

async function deleteObjects(ground: AwsGround, { bucket, keys }: Asked<"deleteObjects">) {
  const { DeleteObjectsCommand } = await import("@aws-sdk/client-s3");
  let deleted = 0;
  for (let i = 0; i < keys.length; i += KEYS_MAX) {
    const Objects = keys.slice(i, i + KEYS_MAX).map((Key) => ({ Key }));
    const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } });
    const answer = await send(ground, "s3", command, { target: bucket });
    const [refused] = answer.Errors ?? [];
    if (refused !== undefined)
      throw fault.data("AWS_REFUSED", `it refused to delete ${refused.Key}: ${refused.Code}`);
    deleted += Objects.length;
  }
  return deleted;
}

async function findImage(ground: AwsGround, repositoryName: string, imageTag: string) {
  const { DescribeImagesCommand } = await import("@aws-sdk/client-ecr");
  const command = new DescribeImagesCommand({ repositoryName, imageIds: [{ imageTag }] });
  const target = `${repositoryName}:${imageTag}`;
  try {
    const [image] = (await send(ground, "ecr", command, { target })).imageDetails ?? [];
    if (image?.imageDigest === undefined) return null;
    return { digest: image.imageDigest, pushedAt: image.imagePushedAt ?? null };
  } catch (error) {
    // A repository that is missing is another matter.
    if (error instanceof Fault && error.details.name === "ImageNotFoundException") return null;
    throw error;
  }
}
