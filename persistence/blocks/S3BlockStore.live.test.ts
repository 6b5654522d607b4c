/**
 * The contract against a real S3 server that the environment names. Nothing stays in its bucket.
 * It starts no server: without one it is skipped.
 */
import { contract, Damage } from "#persistence/blocks/BlockStore.contract.ts"
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as S3BlockStore from "#persistence/blocks/S3BlockStore.ts"
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { it } from "vitest"

const {
  CADASTRE_TEST_S3_ENDPOINT: endpoint,
  CADASTRE_TEST_S3_BUCKET: bucket,
  CADASTRE_TEST_S3_KEY: accessKeyId,
  CADASTRE_TEST_S3_SECRET: secret,
  CADASTRE_TEST_S3_REGION: region = "us-east-1"
} = process.env

const options: S3BlockStore.S3Options | undefined =
  endpoint === undefined || bucket === undefined || accessKeyId === undefined || secret === undefined
    ? undefined
    : {
      endpoint,
      bucket,
      prefix: `cadastre-test/${randomUUID()}`,
      region,
      accessKeyId,
      secretAccessKey: Redacted.make(secret),
      forcePathStyle: true
    }

const liveLayer = (options: S3BlockStore.S3Options) =>
  Layer.scopedContext(Effect.gen(function*() {
    const store = yield* S3BlockStore.make(options)
    yield* Effect.addFinalizer(() => Effect.orDie(Stream.runForEach(store.list(""), ({ key }) => store.remove(key))))
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => rawClient(options)),
      (client) => Effect.sync(() => client.destroy())
    )
    const change = (key: string, to: (stored: Uint8Array) => Uint8Array) =>
      Effect.promise(async () => {
        const place = { Bucket: options.bucket, Key: `${options.prefix}/${key}` }
        const { Body } = await client.send(new GetObjectCommand(place))
        if (Body === undefined) throw new Error(`the server gave no body for ${key}`)
        await client.send(new PutObjectCommand({ ...place, Body: to(await Body.transformToByteArray()) }))
      })
    return Context.make(BlockStore.BlockStore, store).pipe(Context.add(Damage, {
      corrupt: (key, offset) => change(key, (stored) => stored.with(offset, (stored[offset] ?? 0) ^ 1)),
      truncate: (key, bytes) => change(key, (stored) => stored.slice(0, bytes))
    }))
  }))

const rawClient = ({ accessKeyId, endpoint = "", region, secretAccessKey }: S3BlockStore.S3Options): S3Client =>
  new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey: Redacted.value(secretAccessKey) },
    requestChecksumCalculation: "WHEN_REQUIRED"
  })

const notTested = (): void =>
  it("the block store in a real S3 keeps the contract", (test) => {
    test.skip("set CADASTRE_TEST_S3_ENDPOINT, _BUCKET, _KEY and _SECRET to run it against that server")
  })

if (options === undefined) notTested()
else contract(`the block store in a real S3 at ${options.endpoint}`, liveLayer(options))
