/**
 * The one port to the bus. Implementations: MQTT.js to any broker (mqtt-bus.ts), in-process on the embedded broker
 * (broker/in-process-bus.ts), and simulated (test/simulation). Nothing above it knows which.
 */
export interface Message {
  topic: string
  payload: Uint8Array
  /** Whether the broker had kept it: it may be old. */
  retained: boolean
}

export interface PublishOptions {
  qos?: 0 | 1
  retain?: boolean
}

export interface SubscribeOptions {
  /** The publisher's PUBACK waits for the promise that `receive` returns, where the bus can hold it: in the hub. */
  hold?: boolean
}

export interface Bus {
  /** Hands a message to the broker. Never waits and never throws: the wire is lossy, truth is in the databases. While there is no connection it is dropped. */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): void
  /** Resolves when the broker has granted it. It is renewed on every connect. */
  subscribe(filter: string, receive: (message: Message) => void | Promise<void>, options?: SubscribeOptions): Promise<void>
  unsubscribe(filter: string): void
  /** Whether a message on this topic may reach somebody. False only where that is known: then nothing need be made for it. */
  isHeard(topic: string): boolean
  isConnected(): boolean
  /** Called on every connect, at once if there is a connection, and after the subscriptions have been renewed. */
  onConnect(call: () => void): void
  onDisconnect(call: () => void): void
  /** Bytes that wait to be written: a sender of bulk holds back while they are many. */
  backlogBytes(): number
  close(): Promise<void>
}
