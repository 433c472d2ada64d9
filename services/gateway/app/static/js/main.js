// Puts the page together.

import { startDeadLetters, showDead } from "./dead_letters.js";
import { startJobs } from "./jobs.js";
import { startOverview, stopOverview } from "./overview.js";
import { showQueues, startQueues } from "./queues.js";
import { showRunning } from "./running.js";
import { showSchedules } from "./schedules.js";
import { readCatalog, startSend } from "./send.js";
import { startSession } from "./session.js";
import { startTheme } from "./theme.js";
import { showTiles } from "./tiles.js";
import { showWorkers } from "./workers.js";
import { byId } from "./dom.js";

const CATALOG_PAUSE = 60_000; // ms; a new task of a new worker is there a minute later at most
let reading = 0;

function begin() {
  startOverview([showTiles, showQueues, showRunning, showDead, showSchedules, showWorkers]);
  readCatalog();
  clearInterval(reading);
  reading = setInterval(readCatalog, CATALOG_PAUSE);
}

function end() {
  clearInterval(reading);
  stopOverview();
}

startTheme(byId("theme"));
startQueues();
startDeadLetters();
startJobs();
startSend();
startSession(begin, end);
