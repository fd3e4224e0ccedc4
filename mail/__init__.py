"""What mail is, without I/O: formats of the mail standards as pure functions over bytes."""
