import { render } from 'preact'
import { App } from './app.tsx'
import { chosenTheme, showTheme } from './shell/theme.ts'
import './styles/index.css'

showTheme(chosenTheme())
const app = document.getElementById('app')
if (app) render(<App />, app)
