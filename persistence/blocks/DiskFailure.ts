/**
 * Why a call to the file system failed, judged for who must act on it.
 * It retries nothing; which of these failures mean that an object is missing, the store knows.
 */
import { StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import type { FileFailure } from "#persistence/blocks/Files.ts"
import * as Effect from "effect/Effect"

/** The failure as the store tells it. */
export const attempt = <A>(
  store: string,
  operation: string,
  io: Effect.Effect<A, FileFailure>
): Effect.Effect<A, StoreUnavailable> => Effect.mapError(io, (failure) => unavailable(store, operation, failure))

/** What the operator can do about a failure, and whether the same call may succeed later without him. */
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

export const unavailable = (store: string, operation: string, { code, message }: FileFailure): StoreUnavailable => {
  const [retryable, hint] = advice[code] ?? [false, undefined]
  const reason = hint === undefined ? message : `${message}; ${hint}`
  return new StoreUnavailable({ store, operation, reason, retryable })
}

export const isFull = ({ code }: FileFailure): boolean => code === "ENOSPC" || code === "EDQUOT"
