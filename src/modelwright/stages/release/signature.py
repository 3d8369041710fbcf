"""Signatures in the OpenSSF model-signing format, with an elliptic-curve key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...core.errors import DamagedArtifact, RecipeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SIGNATURE = "model.sig"


@dataclass(frozen=True)
class SigningKey:
    """A private key and its public half, both as PEM."""

    private_pem: bytes
    public_pem: bytes


def signing_key(path: str, base: Path) -> SigningKey:
    """Read the private key that a recipe names, or make one for this release only.

    Raises:
        RecipeError: the file is not such a key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not path:
        return _pems(ec.generate_private_key(ec.SECP256R1()))
    try:
        key = load_pem_private_key((base / path).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise RecipeError(
            f"the key cannot be read: {error}",
            where=f"release.key: {base / path}",
            expected="an unencrypted elliptic-curve private key in PEM",
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise RecipeError(
            "the key is of another type", where=f"release.key: {base / path}", expected="an elliptic-curve private key"
        )
    return _pems(key)


def _pems(key: EllipticCurvePrivateKey) -> SigningKey:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    return SigningKey(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def sign(folder: Path, key: SigningKey) -> None:
    """Sign every file of a folder; the signature lies in it as `model.sig`."""
    from model_signing import hashing, signing

    # The library reads ignored paths as relative to the folder, and writes them into the signature for others to read.
    with TemporaryDirectory() as place:
        private = Path(place) / "key.pem"
        private.touch(mode=0o600)
        private.write_bytes(key.private_pem)
        config = signing.Config().use_elliptic_key_signer(private_key=private)
        config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[SIGNATURE])).sign(
            folder, folder / SIGNATURE
        )


def verify_signature(folder: Path, public_key: Path) -> None:
    """Check the signature of a folder against a public key.

    Raises:
        DamagedArtifact: a file was changed, or somebody else signed.
        RecipeError: the key is not a public key.
    """
    from model_signing import hashing, verifying

    _require_public_key(public_key, in_release=public_key.parent == folder)
    config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[SIGNATURE]))
    try:
        config.verify(folder, folder / SIGNATURE)
    except Exception as error:  # the library raises what its parsers raise, and all of it means: do not trust this
        raise DamagedArtifact(
            f"the signature does not hold: {str(error).splitlines()[0]}",
            where=folder / SIGNATURE,
            expected=f"a signature by {public_key}",
        ) from None


def _require_public_key(path: Path, in_release: bool) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    # The key that lies in a release is part of what is judged; any other one was chosen by the user.
    error_type: type[DamagedArtifact | RecipeError] = DamagedArtifact if in_release else RecipeError
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise error_type(
            f"the key cannot be read: {str(error).splitlines()[0]}",
            where=path,
            expected="an elliptic-curve public key in PEM",
        ) from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise error_type("the key is of another type", where=path, expected="an elliptic-curve public key in PEM")
