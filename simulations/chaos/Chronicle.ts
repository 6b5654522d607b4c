/**
 * Puts what all clients told into the one order in which it happened, by the clock that all processes of a machine
 * share, as a history for the checkers. It knows no process.
 */
import type { OperationName, ReplyOf, RequestOf } from "#domain/Operations.ts"
import type { Asked, Learnt, Left, Word } from "#simulations/chaos/Wire.ts"
import type { Observation } from "#simulations/history/History.ts"
import { type Ending, Recorder } from "#simulations/history/Recorder.ts"

type Event = Asked | Learnt | Left

export class Chronicle {
  private readonly events: Array<{ readonly client: string; readonly event: Event }> = []

  /** `client` is the process: another one under the same name is another client. */
  add(client: string, event: Event): void {
    this.events.push({ client, event })
  }

  get operations(): number {
    return this.events.reduce((sum, { event }) => sum + (event.kind === "asks" ? 1 : 0), 0)
  }

  /** Everything that was told; every session is over at its end, or will be. */
  history(): ReadonlyArray<Observation> {
    const recorder = new Recorder(() => undefined)
    const endings = new Map<string, Ending<OperationName>>()
    const sessions = new Map<number, number>()
    const numberOf = (session: number): number => {
      const number = sessions.get(session) ?? sessions.size
      sessions.set(session, number)
      return number
    }
    // Of two things at one moment the beginning comes first: that forbids less.
    const inOrder = this.events.toSorted((a, b) => a.event.at - b.event.at || rank(a.event) - rank(b.event))
    for (const { client, event } of inOrder) {
      if (event.kind === "leaves") recorder.leaves(numberOf(event.session))
      else if (event.kind === "learns") learn(endings.get(`${client} ${event.number}`), event)
      else {
        const { number, operation, request, session } = event
        const ending = recorder.begin(numberOf(session), operation, request as RequestOf<OperationName>)
        endings.set(`${client} ${number}`, ending)
      }
    }
    for (const number of sessions.values()) recorder.leaves(number)
    return recorder.observations
  }

  /** As lines, to be kept. */
  text(): string {
    return this.events.map(({ client, event }) => `${JSON.stringify({ client, ...event })}\n`).join("")
  }
}

/** The history in kept lines. */
export const fromText = (text: string): Chronicle => {
  const chronicle = new Chronicle()
  for (const line of text.split("\n")) {
    if (line === "") continue
    const { client, ...event } = JSON.parse(line) as Event & { readonly client: string }
    chronicle.add(client, event as Event)
  }
  return chronicle
}

export const isEvent = (word: Word): word is Event =>
  word.kind === "asks" || word.kind === "learns" || word.kind === "leaves"

const rank = ({ kind }: Event): number => (kind === "asks" ? 0 : 1)

const learn = (ending: Ending<OperationName> | undefined, { errno, reply }: Learnt): void => {
  if (errno === 0) ending?.replied(reply as ReplyOf<OperationName>)
  else ending?.refused(errno)
}
