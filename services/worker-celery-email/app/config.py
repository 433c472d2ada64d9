"""The email worker's settings, from the environment and secret files."""

from pathlib import Path

from pydantic import Field, SecretStr

from app.messages import Channels, Name
from workerkit.storage import StorageSettings


class Settings(StorageSettings):
    """How to reach the mail server, and who writes to whom."""

    smtp_host: str = Field("localhost", description="the mail server, as in its certificate")
    smtp_port: int = Field(587, description="587 with STARTTLS, as a rule")
    smtp_starttls: bool = Field(True, description="encrypt, and refuse to send where that is not possible")
    smtp_username: str | None = Field(None, description="log in with this name")
    smtp_password: SecretStr = Field(SecretStr(""), description="goes with SMTP_USERNAME")
    smtp_timeout_seconds: float = Field(10.0, description="for every step of the conversation")
    smtp_connections: int = Field(10, ge=1, description="to the mail server at a time, from each process")
    smtp_ca_file: Path | None = Field(None, description="authorities to trust instead of the system's")
    mail_sender: str = Field("Acme <no-reply@example.com>", description="the From header")
    message_id_domain: str = Field("mail.example.com", description="the right half of every Message-ID")
    mail_max_attachment_bytes: int = Field(10_000_000, ge=0, description="of all attachments of a mail together")
    product_name: Name = Field("Acme", description="who writes, in the templates")
    user_directory_url: str | None = Field(None, description="GET {url}/{user id} answers with the user's email")
    notification_channels: Channels = Field(
        {"ops": ["ops@example.com"]}, description='JSON: addresses by channel, {"ops": ["ops@example.com"]}'
    )


settings = Settings()
