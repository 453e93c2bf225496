// Files that a program carries as text: SQL migrations and the shell launcher.
declare module '*.sql' {
  const text: string
  export default text
}
declare module '*.sh' {
  const text: string
  export default text
}
