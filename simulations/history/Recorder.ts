/**
 * Writes down what clients ask and what they learn, in the one order in which it happened. It judges nothing.
 */
import type { OperationName, ReplyOf, RequestOf } from "#domain/Operations.ts"
import type { Observation } from "#simulations/history/History.ts"

/** An observation while it is being made; the compiler cannot follow one name through its three types. */
interface Draft {
  ended: number | undefined
  outcome: { readonly errno: number; readonly reply?: unknown } | undefined
}

/** Where what clients ask and learn is written down. */
export interface Recording {
  readonly begin: <Name extends OperationName>(
    client: number,
    operation: Name,
    request: RequestOf<Name>
  ) => Ending<Name>
  readonly leaves: (client: number) => void
}

export class Recorder implements Recording {
  /** In the order of their beginnings, but for sessions that end. */
  readonly observations: Array<Observation> = []
  /** Even numbers for what is seen to happen; the odd ones between them for what is concluded later. */
  private sequence = 0
  private readonly lastAnswers = new Map<number, number>()
  private readonly note: (value: number) => void
  private readonly left = new Set<number>()
  private readonly counts = new Map<number, number>()

  /** `note` is told of everything that is written down. */
  constructor(note: (value: number) => void) {
    this.note = note
  }

  /** A client asks. The result takes down how it ended; without that, nobody ever learnt it. */
  begin<Name extends OperationName>(client: number, operation: Name, request: RequestOf<Name>): Ending<Name> {
    const index = this.counts.get(client) ?? 0
    this.counts.set(client, index + 1)
    const draft: Draft = { ended: undefined, outcome: undefined }
    const observation = Object.assign(draft, { client, index, begun: this.tick(), operation, request })
    this.observations.push(observation as unknown as Observation)
    if (!this.lastAnswers.has(client)) this.lastAnswers.set(client, observation.begun)
    const end = (outcome: Draft["outcome"]): void => {
      draft.ended = this.tick()
      this.lastAnswers.set(client, draft.ended)
      draft.outcome = outcome
      this.note(client)
      this.note(outcome?.errno ?? 0)
    }
    return {
      replied: (reply) => end({ errno: 0, reply }),
      refused: (errno) => end({ errno })
    }
  }

  /**
   * The client's session is over, or will be: it may have ended at any moment after the zones answered it last. Told
   * once for each client.
   */
  leaves(client: number): void {
    const last = this.lastAnswers.get(client)
    if (last === undefined || this.left.has(client)) return
    this.left.add(client)
    const request = { inode: 1, session: client, reason: "expired" as const }
    const index = this.counts.get(client) ?? 0
    this.observations.push({
      client,
      index,
      begun: last + 1,
      ended: undefined,
      operation: "endSession",
      request,
      outcome: undefined
    })
  }

  private tick(): number {
    this.sequence += 2
    return this.sequence
  }
}

export interface Ending<Name extends OperationName> {
  readonly replied: (reply: ReplyOf<Name>) => void
  readonly refused: (errno: number) => void
}
