import type { Clock, Timer } from '../base/clock.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import type { CommandBody } from '../schemas/exchange.ts'
import type { InputOf } from '../schemas/operations.ts'
import { type WorkloadRequest, workloadRequests } from '../schemas/workload-requests.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'

export interface DeviceAskingDeps {
  fleet: Fleet
  effects: Pick<Effects, 'sendCommand'>
  clock: Clock
}

/** What is asked of a device: the body of the command, whose `request` makes it the same question each time that it is sent. */
export interface Question<R extends WorkloadRequest> {
  device: string
  what: R
  body: CommandBody<R>
  withinMs: number
}

/** QoS 1 is no delivery: what is not answered is sent again. */
const repeatMs = 2000
/** So many at a time: who asks more waits for somebody who does not answer. */
const mostOfDevice = 64

interface Pending {
  device: string
  what: WorkloadRequest
  promise: Promise<Outcome<unknown>>
  settle: (outcome: Outcome<unknown>) => void
}

/** Asks devices by commands, and waits for the answer that each sends as a request of its own. */
export const createDeviceAsking = ({ fleet, effects, clock }: DeviceAskingDeps) => {
  const pending = new Map<string, Pending>()

  const begin = <R extends WorkloadRequest>({ device, what, body, withinMs }: Question<R>): Promise<Outcome<unknown>> => {
    const startedMono = clock.mono()
    let timer: Timer | undefined
    let sends = 0
    let settle: Pending['settle'] = () => undefined
    const promise = new Promise<Outcome<unknown>>((resolve) => {
      settle = (outcome) => {
        timer?.cancel()
        pending.delete(body.request)
        resolve(outcome)
      }
    })
    const send = (): void => {
      const leftMs = startedMono + withinMs - clock.mono()
      if (leftMs <= 0) return settle(noAnswer(device, what, sends, withinMs))
      // Connected, but not welcomed by this controller yet: it obeys nothing.
      if (fleet.devices.get(device)?.isReady) {
        effects.sendCommand(device, what, body)
        sends += 1
      }
      timer = clock.after(Math.min(leftMs, sends === 0 ? 200 : repeatMs), send)
    }
    pending.set(body.request, { device, what, promise, settle })
    send()
    return promise
  }

  return {
    /** Resolves with what the device answers, or with why there is no answer. The same request asked again shares the answer. */
    ask: <R extends WorkloadRequest>(question: Question<R>): Promise<Outcome<unknown>> => {
      const name = question.device
      const known = pending.get(question.body.request)
      if (known) return known.promise
      const device = fleet.devices.get(name)
      if (!device) return Promise.resolve(refused('not_found', `no device named "${name}" has joined`))
      if (!device.isConnected) {
        const { last_seen_at: seen } = device.row
        const since = seen === null ? '' : ` since ${new Date(seen).toISOString()}`
        return Promise.resolve(unavailable('offline', `device "${name}" is offline${since}; nothing was asked of it`))
      }
      if ([...pending.values()].filter((one) => one.device === name).length >= mostOfDevice)
        return Promise.resolve(unavailable('busy', `device "${name}" has ${mostOfDevice} requests to answer already`))
      return begin(question)
    },
    /** A device has answered. One that comes too late, or for the second time, is no news. */
    answered: (device: string, answer: InputOf<'device.answer'>): Outcome<unknown> => {
      const one = pending.get(answer.request)
      if (!one) return accepted({})
      if (one.device !== device) return refused('forbidden', `request ${answer.request} was asked of another device`)
      one.settle(outcomeOf(one, answer))
      return accepted({})
    },
    close: (): void => {
      for (const one of [...pending.values()])
        one.settle(unavailable('no_answer', 'the controller ends; whether the device has done it is not known'))
    },
  }
}
export type DeviceAsking = ReturnType<typeof createDeviceAsking>

const outcomeOf = ({ device, what }: Pending, { ok, output, error }: InputOf<'device.answer'>): Outcome<unknown> => {
  if (!ok) return error ? { ok: false, error } : refused('internal', `device "${device}" has refused without a reason`)
  const read = workloadRequests[what].output.safeParse(output)
  if (!read.success) return refused('internal', `the answer of device "${device}" is not understood; is it of another version?`)
  return accepted({ device, ...read.data })
}

const noAnswer = (device: string, what: WorkloadRequest, sends: number, withinMs: number) => {
  const within = `within ${withinMs / 1000} s`
  if (sends === 0) return unavailable('not_asked', `device "${device}" has not said hello ${within}; nothing was asked of it`)
  const rest = what === 'logs' || what === 'history' ? '' : '; whether it has done it is not known'
  return unavailable('no_answer', `device "${device}" has not answered ${within}${rest}`)
}

const unavailable = (code: string, message: string) => refused('unavailable', message, [{ field: 'device', code, message }])
