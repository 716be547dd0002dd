/* notify.h: what the server tells the service manager that started it, if that asked to be told (sd_notify(3)). The main thread's. */
#ifndef BULLA_COMMANDS_NOTIFY_H
#define BULLA_COMMANDS_NOTIFY_H

#include <stdint.h>

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment, where no child finds them then. Before there are other
 * threads. */
void notify_init(void);

/* Connections are accepted and answered; or a reload is over, also one that failed. Says which process it is. */
void notify_ready(void);
/* Until notify_ready. */
void notify_reloading(void);
void notify_stopping(void);

/* After how many ns without notify_alive the manager ends the server; 0: it does not. */
int64_t notify_watchdog_ns(void);
void notify_alive(void);

#endif
