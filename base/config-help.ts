import { envNameOf, flagOf, type Part, settingOf, settingsOf } from './settings.ts'

const about: Record<Part, string> = {
  up: 'Runs the whole product on this machine: broker, controller and devices; what dies is started again.',
  hub: 'Runs broker and controller as one process.',
  broker: 'Runs the MQTT broker.',
  controller: 'Runs the controller, which keeps the tasks and hands them out.',
  dashboard: 'Runs the front door of HTTP where the controller is apart.',
  device:
    'Runs the daemon of one device. "skein device join" makes this machine a device of a fleet; "skein device install", "upgrade" and\n"uninstall" see to its service of systemd; "skein help device" has the verbs that ask the controller.',
}

/** The help of a part, made from the table of settings. */
export const configHelp = (part: Part): string => {
  const rows = settingsOf(part).map((key) => {
    const setting = settingOf(key)
    const usual = setting.usual?.(part)
    const plain = usual === undefined || usual === false || typeof usual === 'object'
    return {
      flag: setting.value ? `${flagOf(key)} ${setting.value}` : flagOf(key),
      text: `${setting.about} (${envNameOf(key)}${plain ? '' : `, default ${String(usual)}`})`,
    }
  })
  rows.push({
    flag: '--config FILE',
    text: 'a YAML file with the same keys, as in mqtt_port (default: skein.yaml in the data folder)',
  })
  rows.push({ flag: '--help', text: 'this text' })
  const width = Math.max(...rows.map((row) => row.flag.length))
  return [
    `Usage: skein ${part} [flags]`,
    '',
    about[part],
    '',
    ...rows.map((row) => `  ${row.flag.padEnd(width)}  ${row.text}`),
    '',
    'Flags beat the environment, that beats the YAML file, that beats the defaults.',
    '',
  ].join('\n')
}
