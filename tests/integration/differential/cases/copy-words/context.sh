touch file quoted '"quoted"' '$dollar' a
