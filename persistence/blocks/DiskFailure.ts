/**
 * Why a call to the file system failed, judged for who must act on it.
 * It retries nothing; which of these errors mean that an object is missing, the store knows.
 */
import { StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import * as Effect from "effect/Effect"

/** The error as the system gave it. */
export const tryIo = <A>(io: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: io, catch: (error) => error })

/** The error as the store tells it. */
export const attempt = <A>(
  store: string,
  operation: string,
  io: () => Promise<A>
): Effect.Effect<A, StoreUnavailable> => Effect.mapError(tryIo(io), (error) => unavailable(store, operation, error))

/** What the operator can do about an error, and whether the same call may succeed later without him. */
const advice: Readonly<Record<string, readonly [retryable: boolean, advice: string]>> = {
  EACCES: [false, "check that the user of this process owns the folder"],
  EPERM: [false, "check that the user of this process owns the folder"],
  EROFS: [false, "the file system is mounted read-only"],
  EIO: [false, "the disk may be failing: see the kernel's log"],
  ENOENT: [true, "a folder of the store is gone: check that its disk is mounted"],
  ESTALE: [true, "the file server has restarted"],
  EMFILE: [true, "raise the limit of open files of this process"],
  ENFILE: [true, "raise the limit of open files of this machine"],
  ENOSPC: [true, "free space"],
  EDQUOT: [true, "free space or raise the quota"],
  ENOMEM: [true, "the machine is short of memory"],
  EAGAIN: [true, "the machine is busy"],
  EBUSY: [true, "the file is in use"],
  EINTR: [true, "the call was interrupted"],
  ETIMEDOUT: [true, "the file server does not answer"]
}

export const unavailable = (store: string, operation: string, error: unknown): StoreUnavailable => {
  const [retryable, hint] = advice[codeOf(error) ?? ""] ?? [false, undefined]
  const reason = hint === undefined ? textOf(error) : `${textOf(error)}; ${hint}`
  return new StoreUnavailable({ store, operation, reason, retryable })
}

export const isFull = (error: unknown): boolean => codeOf(error) === "ENOSPC" || codeOf(error) === "EDQUOT"

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined

export const textOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
